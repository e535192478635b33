// launcher-go BATCHES WIDTH PROGRAM: starts PROGRAM with Go's cap.Launcher, left cap_net_bind_service alone,
// WIDTH at once, and waits for the end. Prints the nanoseconds of each batch.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

const warmUp = 3

func iab() *cap.IAB {
	iab := cap.NewIAB()
	for c := cap.Value(0); c < cap.MaxBits(); c++ {
		if c != cap.NET_BIND_SERVICE {
			if err := iab.SetVector(cap.Bound, true, c); err != nil {
				log.Fatal(err)
			}
		}
	}
	return iab
}

func launch(iab *cap.IAB, program string) {
	launcher := cap.NewLauncher(program, []string{program}, os.Environ())
	launcher.SetIAB(iab)
	pid, err := launcher.Launch(nil)
	if err != nil {
		log.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status != 0 {
		log.Fatal(program, ": ", err, " ", status)
	}
}

func batch(iab *cap.IAB, width int, program string) {
	if width == 1 {
		launch(iab, program)
		return
	}
	var group sync.WaitGroup
	for i := 0; i < width; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			launch(iab, program)
		}()
	}
	group.Wait()
}

func main() {
	if len(os.Args) != 4 {
		os.Exit(2)
	}
	batches, _ := strconv.Atoi(os.Args[1])
	width, _ := strconv.Atoi(os.Args[2])
	iab := iab()
	for i := 0; i < warmUp; i++ {
		launch(iab, os.Args[3])
	}
	for i := 0; i < batches; i++ {
		began := time.Now()
		batch(iab, width, os.Args[3])
		fmt.Println(time.Since(began).Nanoseconds())
	}
}

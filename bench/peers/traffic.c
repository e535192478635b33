// traffic source BYTES    writes so many bytes
// traffic sink BYTES      writes "r", reads so many bytes, writes "d"
// traffic echo            writes "r", then what it reads, until the end of file
// traffic packet-echo     the same without the "r", for a port of {packet, 4}
//
// The workload of the streaming measurements, on fds 0 and 1. A terminal there is made raw first.

#define _GNU_SOURCE
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"

#define CHUNK 65536
static char bytes[CHUNK];

static void write_all(size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t n = write(1, bytes + done, size - done);
        check(n > 0, "write");
        done += n;
    }
}

static void say(char byte) {
    bytes[0] = byte;
    write_all(1);
}

static void source(long long left) {
    memset(bytes, 'x', CHUNK);
    for (; left > 0; left -= CHUNK) write_all(left < CHUNK ? left : CHUNK);
}

static void sink(long long left) {
    say('r');
    while (left > 0) {
        ssize_t n = read(0, bytes, CHUNK);
        check(n > 0, "read");
        left -= n;
    }
    say('d');
}

static void echo(void) {
    ssize_t n;
    say('r');
    while ((n = read(0, bytes, CHUNK)) > 0) write_all(n);
}

int main(int argc, char **argv) {
    struct termios terminal;
    if (tcgetattr(0, &terminal) == 0) {
        cfmakeraw(&terminal);
        check(tcsetattr(0, TCSANOW, &terminal) == 0, "tcsetattr");
    }
    if (argc == 3 && strcmp(argv[1], "source") == 0) source(atoll(argv[2]));
    else if (argc == 3 && strcmp(argv[1], "sink") == 0) sink(atoll(argv[2]));
    else if (argc == 2 && strcmp(argv[1], "echo") == 0) echo();
    else if (argc == 2 && strcmp(argv[1], "packet-echo") == 0) {
        // A frame of {packet, 4} comes back as it went; nothing may come before it.
        ssize_t n;
        while ((n = read(0, bytes, CHUNK)) > 0) write_all(n);
    } else return 2;
    return 0;
}

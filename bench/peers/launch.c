// launch METHOD BATCHES WIDTH PROGRAM [ARGUMENT...]
//
// Starts PROGRAM from C and waits until it has exited with status 0; WIDTH at once. Prints the nanoseconds of each batch.
// The methods with drops leave PROGRAM cap_net_bind_service alone.

#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define KEPT CAP_NET_BIND_SERVICE
#define WARM_UP 3

extern char **environ;
static unsigned long long bounding;
static cap_t thread_sets;
static cap_iab_t iab;

// What every method but cap_launch does in the child.
static void confine(void) {
    for (int cap = 0; cap < 64; cap++) {
        if (cap != KEPT && (bounding >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)) _exit(120);
    }
    if (cap_set_proc(thread_sets)) _exit(121);
}

static void prepare(void) {
    cap_value_t kept = KEPT;
    for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1) bounding |= 1ULL << cap;
    }
    thread_sets = cap_init();
    cap_set_flag(thread_sets, CAP_PERMITTED, 1, &kept, CAP_SET);
    cap_set_flag(thread_sets, CAP_EFFECTIVE, 1, &kept, CAP_SET);
    iab = cap_iab_init();
    for (int cap = 0; cap < cap_max_bits(); cap++) {
        if (cap != KEPT) cap_iab_set_vector(iab, CAP_IAB_BOUND, cap, CAP_SET);
    }
}

static pid_t start_posix_spawn(char **argv) {
    pid_t pid;
    errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    return errno ? -1 : pid;
}

static pid_t start_fork(char **argv) {
    pid_t pid = fork();
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static pid_t start_drop(char **argv) {
    pid_t pid = fork();
    if (pid == 0) {
        confine();
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

// The child waits for a word before it confines itself, as at a checkpoint.
static pid_t start_park(char **argv) {
    int ends[2];
    char byte = 0;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    pid_t pid = fork();
    if (pid == 0) {
        if (write(ends[1], "r", 1) != 1 || read(ends[1], &byte, 1) != 1) _exit(122);
        confine();
        execv(argv[0], argv);
        _exit(127);
    }
    check(read(ends[0], &byte, 1) == 1 && write(ends[0], "p", 1) == 1, "checkpoint");
    close(ends[0]);
    close(ends[1]);
    return pid;
}

static pid_t start_cap_launch(char **argv) {
    cap_launch_t launcher = cap_new_launcher(argv[0], (const char *const *)argv, (const char *const *)environ);
    check(launcher != NULL, "cap_new_launcher");
    cap_launcher_set_iab(launcher, cap_iab_dup(iab));
    pid_t pid = cap_launch(launcher, NULL);
    cap_free(launcher);
    return pid;
}

static const struct {
    const char *name;
    pid_t (*start)(char **);
} methods[] = {
    {"posix_spawn", start_posix_spawn}, {"fork", start_fork}, {"drop", start_drop},
    {"park", start_park},               {"cap_launch", start_cap_launch},
};

static void batch(pid_t (*start)(char **), int width, char **argv) {
    for (int i = 0; i < width; i++) check(start(argv) > 0, argv[0]);
    for (int i = 0; i < width; i++) {
        int status;
        check(wait(&status) > 0, "wait");
        if (status != 0) {
            fprintf(stderr, "%s: wait status %d\n", argv[0], status);
            exit(1);
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        if (strcmp(methods[m].name, argv[1])) continue;
        int batches = atoi(argv[2]), width = atoi(argv[3]);
        prepare();
        for (int i = 0; i < WARM_UP; i++) batch(methods[m].start, 1, argv + 4);
        for (int i = 0; i < batches; i++) {
            long long began = now_ns();
            batch(methods[m].start, width, argv + 4);
            printf("%lld\n", now_ns() - began);
        }
        return 0;
    }
    return 2;
}

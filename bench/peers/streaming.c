// streaming out  pipe|pty BYTES TRAFFIC    nanoseconds from the first byte of a source to its last
// streaming in   pipe|pty BYTES TRAFFIC    nanoseconds from the first byte to a sink until it has all
// streaming echo pipe|pty COUNT TRAFFIC    nanoseconds of each of COUNT lines, there and back
//
// What a C program reaches with the workload TRAFFIC (traffic.c) on the other end.

#define _GNU_SOURCE
#include <pty.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define CHUNK 65536
#define LINE 32
static char bytes[CHUNK];
static int from_child, to_child;

static void run(char **argv) {
    execv(argv[0], argv);
    _exit(127);
}

static void start_on_pty(char **argv) {
    int master;
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    check(pid >= 0, "forkpty");
    if (pid == 0) run(argv);
    from_child = to_child = master;
}

static void start_on_pipes(char **argv) {
    int in[2], out[2];
    check(pipe(in) == 0 && pipe(out) == 0, "pipe");
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        run(argv);
    }
    close(in[0]);
    close(out[1]);
    to_child = in[1];
    from_child = out[0];
}

static void expect(char wanted) {
    char byte;
    check(read(from_child, &byte, 1) == 1 && byte == wanted, "the workload's word");
}

static void send_bytes(size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t n = write(to_child, bytes + done, size - done);
        check(n > 0, "write");
        done += n;
    }
}

static long long receive_some(void) {
    ssize_t n = read(from_child, bytes, CHUNK);
    check(n > 0, "read");
    return n;
}

static void receive_bytes(long long size) {
    while (size > 0) size -= receive_some();
}

static void measure_echo(long long count) {
    expect('r');
    for (long long i = 0; i < count; i++) {
        long long began = now_ns();
        send_bytes(LINE);
        receive_bytes(LINE);
        printf("%lld\n", now_ns() - began);
    }
}

static void measure_stream(const char *what, long long size) {
    long long began;
    if (strcmp(what, "in") == 0) {
        expect('r');
        began = now_ns();
        for (long long left = size; left > 0; left -= CHUNK) send_bytes(left < CHUNK ? left : CHUNK);
        expect('d');
    } else {
        long long left = size - receive_some();
        began = now_ns();
        receive_bytes(left);
    }
    printf("%lld\n", now_ns() - began);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    char *role = strcmp(argv[1], "out") == 0 ? "source" : strcmp(argv[1], "in") == 0 ? "sink" : "echo";
    char *workload[] = {argv[4], role, strcmp(role, "echo") ? argv[3] : NULL, NULL};
    if (strcmp(argv[2], "pty") == 0) start_on_pty(workload);
    else start_on_pipes(workload);
    if (strcmp(argv[1], "echo") == 0) measure_echo(atoll(argv[3]));
    else measure_stream(argv[1], atoll(argv[3]));
    return 0;
}

// Time in nanoseconds, and the end of a measuring program whose measurement failed.
#ifndef CLOCK_H
#define CLOCK_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline void check(int good, const char *what) {
    if (good) return;
    perror(what);
    exit(1);
}

#endif

// reading status COUNT PID    the nanoseconds of open, read, close and parse of /proc/PID/status, COUNT times
// reading list COUNT          the same of every process in /proc

#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static unsigned long long sets[5];

static int parse(const char *text) {
    const char *line = strstr(text, "\nCapInh:");
    for (int i = 0; i < 5 && line; i++) {
        sets[i] = strtoull(line + 8, NULL, 16);
        line = strchr(line + 1, '\n');
    }
    return line != NULL;
}

static int read_status(const char *path) {
    char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return 0;
    text[size] = 0;
    return parse(text);
}

static int read_all(void) {
    char path[64];
    int found = 0;
    DIR *proc = opendir("/proc");
    check(proc != NULL, "/proc");
    for (struct dirent *entry; (entry = readdir(proc));) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        snprintf(path, sizeof path, "/proc/%.20s/status", entry->d_name);
        found += read_status(path);
    }
    closedir(proc);
    return found;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    char path[64];
    int one = strcmp(argv[1], "status") == 0;
    if (one && argc < 4) return 2;
    if (one) snprintf(path, sizeof path, "/proc/%.20s/status", argv[3]);
    for (int i = atoi(argv[2]); i > 0; i--) {
        long long began = now_ns();
        check((one ? read_status(path) : read_all()) > 0, "reading");
        printf("%lld\n", now_ns() - began);
    }
    return 0;
}

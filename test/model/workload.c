/* What the sessions of the model run; told by its first argument how to live and how to end. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void copy(void)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(0, bytes, sizeof bytes)) > 0)
        if (write(1, bytes, (size_t)got) != got)
            exit(9);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 8;
    if (!strcmp(argv[1], "pause"))
        for (;;)
            pause();
    if (!strcmp(argv[1], "cat")) {
        copy();
        return 0;
    }
    if (!strcmp(argv[1], "say") && argc == 4) {
        size_t length = strlen(argv[2]);
        return write(1, argv[2], length) == (ssize_t)length ? atoi(argv[3]) : 9;
    }
    return 8;
}

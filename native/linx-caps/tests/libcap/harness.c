/*
 * Answers questions with the real libcap: one line in, one line out.
 *
 *   text HEX        cap_from_text   -> refused | E P I HEX-of-cap_to_text
 *   show E P I      cap_to_text     -> HEX
 *   iab HEX         cap_iab_from_text -> refused | I A B HEX-of-cap_iab_to_text
 *   fill I A B      cap_iab_fill thrice, in this order -> I A B HEX-of-cap_iab_to_text
 *   vector (V BIT RAISED)*  cap_iab_set_vector -> I A B HEX-of-cap_iab_to_text
 *   export E P I    cap_copy_ext    -> HEX
 *   import HEX      cap_copy_int_check -> refused | E P I
 *   differ E P I E P I    cap_compare -> number
 *   store E P I ROOTID    cap_set_fd -> refused | HEX of security.capability
 *   load HEX        cap_get_fd of a file with this attribute -> refused | E P I ROOTID
 *
 * Masks are hexadecimal, byte strings are pairs of hex digits ("-" for none). The first line out
 * is cap_max_bits().
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/xattr.h>
#include <unistd.h>

static size_t unhex(const char *hex, unsigned char *out)
{
    size_t n = 0;
    unsigned byte;

    if (*hex == '-')
        return 0;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (unsigned char)byte;
    return n;
}

static void put_hex(const void *bytes, size_t n)
{
    const unsigned char *byte = bytes;

    if (n == 0)
        putchar('-');
    while (n--)
        printf("%02x", *byte++);
}

static cap_t make(const uint64_t mask[3])
{
    cap_t set = cap_init();

    for (int flag = 0; flag < 3; flag++)
        for (cap_value_t bit = 0; bit < 64; bit++)
            if (mask[flag] >> bit & 1)
                cap_set_flag(set, flag, 1, &bit, CAP_SET);
    return set;
}

static void put_flags(cap_t set)
{
    for (int flag = 0; flag < 3; flag++) {
        uint64_t mask = 0;
        cap_flag_value_t on;

        for (cap_value_t bit = 0; bit < 64; bit++)
            if (cap_get_flag(set, bit, flag, &on) == 0 && on == CAP_SET)
                mask |= UINT64_C(1) << bit;
        printf("%" PRIx64 " ", mask);
    }
}

static void put_text(char *text)
{
    put_hex(text, strlen(text));
    cap_free(text);
}

static void put_iab(cap_iab_t iab)
{
    static const cap_iab_vector_t vectors[] = {CAP_IAB_INH, CAP_IAB_AMB, CAP_IAB_BOUND};

    for (int v = 0; v < 3; v++) {
        uint64_t mask = 0;

        for (cap_value_t bit = 0; bit < cap_max_bits(); bit++)
            if (cap_iab_get_vector(iab, vectors[v], bit) == CAP_SET)
                mask |= UINT64_C(1) << bit;
        printf("%" PRIx64 " ", mask);
    }
    put_text(cap_iab_to_text(iab));
}

static void ask_text(unsigned char *bytes)
{
    cap_t set = cap_from_text((char *)bytes);

    if (!set) {
        printf("refused");
        return;
    }
    put_flags(set);
    put_text(cap_to_text(set, NULL));
    cap_free(set);
}

static void ask_iab(unsigned char *bytes)
{
    cap_iab_t iab = cap_iab_from_text((char *)bytes);

    if (!iab) {
        printf("refused");
        return;
    }
    put_iab(iab);
    cap_free(iab);
}

static void ask_fill(const uint64_t mask[3])
{
    cap_iab_t iab = cap_iab_init();
    const uint64_t flags[3] = {mask[0], mask[1], mask[2]};
    cap_t set = make(flags);

    cap_iab_fill(iab, CAP_IAB_INH, set, CAP_EFFECTIVE);
    cap_iab_fill(iab, CAP_IAB_AMB, set, CAP_PERMITTED);
    cap_iab_fill(iab, CAP_IAB_BOUND, set, CAP_INHERITABLE);
    put_iab(iab);
    cap_free(set);
    cap_free(iab);
}

static void ask_vector(const char *rest)
{
    cap_iab_t iab = cap_iab_init();
    char vector;
    int bit, raised, used;

    while (sscanf(rest, " %c %d %d%n", &vector, &bit, &raised, &used) == 3) {
        cap_iab_set_vector(iab,
                           vector == 'i'   ? CAP_IAB_INH
                           : vector == 'a' ? CAP_IAB_AMB
                                           : CAP_IAB_BOUND,
                           bit, raised ? CAP_SET : CAP_CLEAR);
        rest += used;
    }
    put_iab(iab);
    cap_free(iab);
}

static void ask_show(const uint64_t mask[3])
{
    cap_t set = make(mask);

    put_text(cap_to_text(set, NULL));
    cap_free(set);
}

static void ask_export(const uint64_t mask[3])
{
    unsigned char bytes[64];
    cap_t set = make(mask);
    ssize_t n = cap_copy_ext(bytes, set, sizeof bytes);

    put_hex(bytes, n < 0 ? 0 : (size_t)n);
    cap_free(set);
}

static void ask_import(const unsigned char *bytes, size_t n)
{
    cap_t set = cap_copy_int_check(bytes, (ssize_t)n);

    if (!set) {
        printf("refused");
        return;
    }
    put_flags(set);
    cap_free(set);
}

static void ask_differ(const uint64_t mask[6])
{
    cap_t left = make(mask), right = make(mask + 3);

    printf("%d", cap_compare(left, right));
    cap_free(left);
    cap_free(right);
}

/* A file without a name, which can have capabilities. */
static int scratch(void)
{
    char name[] = "/tmp/linx-libcap-XXXXXX";
    int fd = mkstemp(name);

    unlink(name);
    return fd;
}

static void ask_store(const uint64_t mask[4])
{
    unsigned char bytes[32];
    cap_t set = make(mask);
    int fd = scratch();

    cap_set_nsowner(set, (uid_t)mask[3]);
    if (cap_set_fd(fd, set) < 0) {
        printf("refused");
    } else {
        ssize_t n = fgetxattr(fd, "security.capability", bytes, sizeof bytes);

        put_hex(bytes, n < 0 ? 0 : (size_t)n);
    }
    cap_free(set);
    close(fd);
}

static void ask_load(const unsigned char *bytes, size_t n)
{
    int fd = scratch();
    cap_t set = NULL;

    if (fsetxattr(fd, "security.capability", bytes, n, 0) == 0)
        set = cap_get_fd(fd);
    if (set) {
        put_flags(set);
        printf("%x", cap_get_nsowner(set));
        cap_free(set);
    } else {
        printf("refused");
    }
    close(fd);
}

static int masks(const char *rest, uint64_t *out)
{
    return sscanf(rest, "%" SCNx64 "%" SCNx64 "%" SCNx64 "%" SCNx64 "%" SCNx64 "%" SCNx64, out,
                  out + 1, out + 2, out + 3, out + 4, out + 5);
}

static void answer_bytes(const char *verb, const char *hex, unsigned char *bytes)
{
    size_t n = unhex(hex, bytes);

    bytes[n] = 0;
    if (!strcmp(verb, "text"))
        ask_text(bytes);
    else if (!strcmp(verb, "iab"))
        ask_iab(bytes);
    else if (!strcmp(verb, "import"))
        ask_import(bytes, n);
    else if (!strcmp(verb, "load"))
        ask_load(bytes, n);
}

static void answer_masks(const char *verb, const uint64_t mask[6])
{
    if (!strcmp(verb, "fill"))
        ask_fill(mask);
    else if (!strcmp(verb, "export"))
        ask_export(mask);
    else if (!strcmp(verb, "differ"))
        ask_differ(mask);
    else if (!strcmp(verb, "store"))
        ask_store(mask);
    else if (!strcmp(verb, "show"))
        ask_show(mask);
}

static void answer(const char *line, unsigned char *bytes)
{
    static const char *const of_bytes = " text iab import load ";
    char verb[8], spaced[10];
    int used = 0;
    uint64_t mask[6] = {0};

    if (sscanf(line, "%7s %n", verb, &used) != 1)
        return;
    snprintf(spaced, sizeof spaced, " %s ", verb);
    if (strstr(of_bytes, spaced)) {
        answer_bytes(verb, line + used, bytes);
    } else if (!strcmp(verb, "vector")) {
        ask_vector(line + used);
    } else {
        masks(line + used, mask);
        answer_masks(verb, mask);
    }
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;

    printf("%d\n", cap_max_bits());
    while ((n = getline(&line, &size, stdin)) > 0) {
        unsigned char *bytes = malloc((size_t)n + 1);

        answer(line, bytes);
        putchar('\n');
        free(bytes);
    }
    free(line);
    return 0;
}

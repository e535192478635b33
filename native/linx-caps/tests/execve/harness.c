/*
 * Asks the kernel what execve does: one case a line in, one answer a line out. Run as root, with a
 * directory to mount two file systems of its own in.
 *
 *   RUID EUID SUID FSUID RGID EGID SGID FSGID GROUPS P E I B A SECUREBITS NO_NEW_PRIVS SHARED_FS
 *   TRACED NOSUID OWNER GROUP MODE XATTR
 *
 * Sets, secure bits and the mode's digits are hexadecimal (the mode octal), GROUPS is numbers with
 * commas, XATTR pairs of hex digits; "-" is none. A traced task asks for its tracer itself, so it is
 * its own effective set that says whether the tracer has the right. The case's task executes a copy of this program,
 * which answers
 *
 *   RUID EUID SUID FSUID RGID EGID SGID FSGID P E I B A SECUREBITS AT_SECURE
 *
 * or, if execve fails, "execve ERRNO". A set-up that fails answers "setup STAGE ERRNO".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NO_SETUID_FIXUP 0x4

struct task {
    uint32_t uid[4], gid[4];
    char groups[128];
    uint64_t permitted, effective, inheritable, bounding, ambient;
    unsigned securebits;
    int no_new_privs, shared_fs, traced, nosuid;
};

struct file {
    uint32_t owner, group;
    unsigned mode;
    char xattr[64];
};

static const char *const paths[2] = {"trusted/probe", "nosuid/probe"};
static const char *path;

static int probe(void)
{
    char line[256];
    unsigned long long sets[5] = {0};
    unsigned uid[4], gid[4];
    static const char *const keys[5] = {"CapPrm:", "CapEff:", "CapInh:", "CapBnd:", "CapAmb:"};
    FILE *status = fopen("/proc/self/status", "r");

    while (fgets(line, sizeof line, status)) {
        sscanf(line, "Uid: %u %u %u %u", uid, uid + 1, uid + 2, uid + 3);
        sscanf(line, "Gid: %u %u %u %u", gid, gid + 1, gid + 2, gid + 3);
        for (int i = 0; i < 5; i++)
            if (!strncmp(line, keys[i], 7))
                sets[i] = strtoull(line + 7, NULL, 16);
    }
    printf("%u %u %u %u %u %u %u %u %llx %llx %llx %llx %llx %x %lu\n", uid[0], uid[1], uid[2],
           uid[3], gid[0], gid[1], gid[2], gid[3], sets[0], sets[1], sets[2], sets[3], sets[4],
           (unsigned)prctl(PR_GET_SECUREBITS), getauxval(AT_SECURE));
    return 0;
}

static void must(int result, const char *stage)
{
    if (result == 0)
        return;
    printf("setup %s %d\n", stage, errno);
    fflush(stdout);
    _exit(1);
}

static int set_thread(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    for (int word = 0; word < 2; word++) {
        data[word].permitted = (uint32_t)(permitted >> (32 * word));
        data[word].effective = (uint32_t)(effective >> (32 * word));
        data[word].inheritable = (uint32_t)(inheritable >> (32 * word));
    }
    return (int)syscall(SYS_capset, &header, data);
}

static uint64_t own_permitted(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};

    must((int)syscall(SYS_capget, &header, data), "capget");
    return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

static void set_groups(const char *list)
{
    gid_t groups[16];
    size_t n = 0;

    while (*list != '-' && *list && n < 16) {
        groups[n++] = (gid_t)strtoul(list, (char **)&list, 10);
        list += *list == ',';
    }
    must(setgroups(n, groups), "setgroups");
}

static void set_ids(const struct task *task)
{
    set_groups(task->groups);
    must(setresgid(task->gid[0], task->gid[1], task->gid[2]), "setresgid");
    setfsgid(task->gid[3]);
    must(prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP), "no_setuid_fixup");
    must(setresuid(task->uid[0], task->uid[1], task->uid[2]), "setresuid");
    setfsuid(task->uid[3]);
}

static void set_caps(const struct task *task)
{
    uint64_t all = own_permitted();

    must(set_thread(all, all, task->inheritable), "inheritable");
    for (int bit = 0; bit < 64; bit++)
        if (task->ambient >> bit & 1)
            must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0), "ambient");
    for (int bit = 0; prctl(PR_CAPBSET_READ, bit) >= 0; bit++)
        if (!(task->bounding >> bit & 1))
            must(prctl(PR_CAPBSET_DROP, bit), "bounding");
    must(prctl(PR_SET_SECUREBITS, task->securebits), "securebits");
    must(set_thread(task->permitted, task->effective, task->inheritable), "thread");
    if (task->no_new_privs)
        must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    if (task->traced)
        must((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL), "traceme");
}

static int become_and_execute(void *task)
{
    char *const argv[] = {"probe", "--probe", NULL};
    char *const envp[] = {NULL};

    set_ids(task);
    set_caps(task);
    execve(path, argv, envp);
    printf("execve %d\n", errno);
    fflush(stdout);
    _exit(0);
}

static void prepare(const struct file *file)
{
    unsigned char bytes[32];
    size_t n = 0;
    unsigned byte;
    const char *hex = file->xattr;

    must(chown(path, file->owner, file->group), "chown");
    must(chmod(path, file->mode), "chmod");
    if (*hex == '-') {
        if (removexattr(path, "security.capability") < 0 && errno != ENODATA)
            must(-1, "removexattr");
        return;
    }
    for (; n < sizeof bytes && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        bytes[n++] = (unsigned char)byte;
    must(setxattr(path, "security.capability", bytes, n, 0), "setxattr");
}

/* Waits for the end, past the stop a traced task makes at execve. */
static void await(pid_t pid)
{
    int status;

    for (;;) {
        must(waitpid(pid, &status, 0) != pid, "waitpid");
        if (!WIFSTOPPED(status))
            return;
        must((int)ptrace(PTRACE_CONT, pid, NULL, NULL), "cont");
    }
}

static void answer(struct task *task, const struct file *file)
{
    static char stack[64 * 1024] __attribute__((aligned(16)));
    int flags = SIGCHLD | (task->shared_fs ? CLONE_FS : 0);
    pid_t pid;

    path = paths[task->nosuid];
    prepare(file);
    fflush(stdout);
    pid = clone(become_and_execute, stack + sizeof stack, flags, task);
    must(pid < 0, "clone");
    await(pid);
}

static void copy_self(const char *to)
{
    char buffer[64 * 1024];
    ssize_t n;
    int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);

    must(in < 0 || out < 0, "open");
    while ((n = read(in, buffer, sizeof buffer)) > 0)
        must(write(out, buffer, (size_t)n) != n, "copy");
    must((int)n, "copy");
    close(in);
    close(out);
}

static void set_up(const char *dir)
{
    must(chdir(dir), "chdir");
    must(unshare(CLONE_NEWNS), "unshare");
    must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    must(mkdir("trusted", 0755) || mkdir("nosuid", 0755), "mkdir");
    must(mount("none", "trusted", "tmpfs", 0, "mode=755"), "mount");
    must(mount("none", "nosuid", "tmpfs", MS_NOSUID, "mode=755"), "mount");
    for (int i = 0; i < 2; i++)
        copy_self(paths[i]);
}

static int read_case(struct task *task, struct file *file)
{
    return scanf("%u %u %u %u %u %u %u %u %127s", task->uid, task->uid + 1, task->uid + 2,
                 task->uid + 3, task->gid, task->gid + 1, task->gid + 2, task->gid + 3,
                 task->groups) == 9 &&
           scanf("%" SCNx64 "%" SCNx64 "%" SCNx64 "%" SCNx64 "%" SCNx64, &task->permitted,
                 &task->effective, &task->inheritable, &task->bounding, &task->ambient) == 5 &&
           scanf("%x %d %d %d %d", &task->securebits, &task->no_new_privs, &task->shared_fs,
                 &task->traced, &task->nosuid) == 5 &&
           scanf("%u %u %o %63s", &file->owner, &file->group, &file->mode, file->xattr) == 4;
}

int main(int argc, char **argv)
{
    struct task task;
    struct file file;

    if (argc == 2 && !strcmp(argv[1], "--probe"))
        return probe();
    if (argc != 2)
        return 2;
    set_up(argv[1]);
    puts("ready");
    while (read_case(&task, &file))
        answer(&task, &file);
    return 0;
}

/* Makes one call to the file system fail, or each from one on: the n-th of those that touch the paths named.
 *
 * Loaded with LD_PRELOAD, and told what to do by faults_arm(). Of interest are calls that open, write, sync, cut,
 * rename, link, make or remove what is below one of `prefixes` (separated by ':').
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char prefixes[4096], last_call[PATH_MAX + 64], calls[1 << 20];
static int n_calls, first_bad, last_bad, error_number;

void faults_arm(const char *below, int first, int last, int number) {
    snprintf(prefixes, sizeof prefixes, "%s", below);
    n_calls = 0, first_bad = first, last_bad = last, error_number = number, last_call[0] = calls[0] = 0;
}
const char *faults_calls(void) { return calls; }
const char *faults_last(void) { return last_call; }

static int is_of_interest(const char *path) {
    for (const char *one = prefixes; *one;) {
        size_t length = strcspn(one, ":");
        if (length && !strncmp(path, one, length)) return 1;
        one += length + (one[length] == ':');
    }
    return 0;
}
static int fails(const char *call, const char *path) {
    if (!prefixes[0] || !path || !is_of_interest(path)) return 0;
    n_calls++;
    size_t length = strlen(calls);
    snprintf(calls + length, sizeof calls - length, "%s %s\n", call, path);
    if (n_calls < first_bad || n_calls > last_bad) return 0;
    if (n_calls == first_bad) snprintf(last_call, sizeof last_call, "%s %s", call, path);
    errno = error_number;
    return 1;
}
static int fails_of(const char *call, int number) {
    char link[64], path[PATH_MAX];
    if (!prefixes[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", number);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define OPEN(name) int name(const char *path, int flags, ...) { \
    REAL(name); va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
    return fails("open", path) ? -1 : real(path, flags, mode); }
#define OPENAT(name) int name(int folder, const char *path, int flags, ...) { \
    REAL(name); va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
    return fails("open", path) ? -1 : real(folder, path, flags, mode); }
#define OF_FILE(name, type, wanted, given) type name wanted { REAL(name); return fails_of(#name, number) ? -1 : real given; }
#define OF_PATH(name, wanted, given) int name wanted { REAL(name); return fails(#name, path) ? -1 : real given; }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
DIR *opendir(const char *path) { REAL(opendir); return fails("opendir", path) ? NULL : real(path); }
OF_FILE(write, ssize_t, (int number, const void *from, size_t n), (number, from, n))
OF_FILE(writev, ssize_t, (int number, const struct iovec *from, int n), (number, from, n))
OF_FILE(pwrite, ssize_t, (int number, const void *from, size_t n, off_t at), (number, from, n, at))
OF_FILE(pwrite64, ssize_t, (int number, const void *from, size_t n, off64_t at), (number, from, n, at))
int fsync(int number) { return fails_of("fsync", number) ? -1 : 0; } /* no power is lost here: nothing to wait for */
int fdatasync(int number) { return fails_of("fdatasync", number) ? -1 : 0; }
OF_FILE(ftruncate, int, (int number, off_t n), (number, n))
OF_FILE(ftruncate64, int, (int number, off64_t n), (number, n))
OF_PATH(rename, (const char *path, const char *to), (path, to))
OF_PATH(link, (const char *path, const char *to), (path, to))
OF_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
OF_PATH(unlink, (const char *path), (path))
OF_PATH(rmdir, (const char *path), (path))

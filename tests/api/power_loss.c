/* Keeps a copy of every file as it was at its last flush: what is left of it when the power goes.
 * Loaded before the C library (LD_PRELOAD); copies go to the folder that DURABLE names. A file that
 * is removed stays removed: file systems with a journal write that down with the next flush. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void keep(int fd) {
    static __thread char buffer[1 << 16];
    char link[64], path[PATH_MAX], partial[PATH_MAX * 2], durable[PATH_MAX * 2];
    const char *folder = getenv("DURABLE");
    if (!folder) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name || !strstr(name, ".db")) return;
    snprintf(durable, sizeof durable, "%s%s", folder, name);
    snprintf(partial, sizeof partial, "%s%s.partial", folder, name);
    int from = open(path, O_RDONLY), to = open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t read_bytes;
    while (from >= 0 && to >= 0 && (read_bytes = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, (size_t)read_bytes) != read_bytes) abort();
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    rename(partial, durable);
}

#define FLUSHING(name)                                                   \
    int name(int fd) {                                                   \
        static int (*next)(int);                                         \
        if (!next) next = (int (*)(int))dlsym(RTLD_NEXT, #name);         \
        int result = next(fd);                                           \
        if (result == 0) keep(fd);                                       \
        return result;                                                   \
    }

FLUSHING(fsync)
FLUSHING(fdatasync)

int unlink(const char *path) {
    static int (*next)(const char *);
    char durable[PATH_MAX * 2];
    const char *folder = getenv("DURABLE"), *name = strrchr(path, '/');
    if (!next) next = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    int result = next(path);
    if (result == 0 && folder && name && strstr(name, ".db")) {
        snprintf(durable, sizeof durable, "%s%s", folder, name);
        next(durable);
    }
    return result;
}

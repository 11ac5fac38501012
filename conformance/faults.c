/* Lets one system call on an HDF5 file fail: call number FAULT_AT (from 0) in the way of FAULT_KIND.
 *
 * For LD_PRELOAD. Reads, writes, truncations and waits for the disk are counted, on descriptors of files whose names
 * end in ".h5"; the calls are listed in the file FAULT_LIST, one letter each. The kinds are ENOSPC, EIO and EINTR, and
 * SHORT, which moves half of the bytes; TORN does so and lets the next call fail; FULL is a disk on which from that call
 * on nothing is written any more. Programs that know of it may call `fault_at` instead, and ask for `fault_calls`.
 *
 * With FAULT_TRACE, what is done to a file is added to one of its name and ".trace": a letter (w, t, s), an offset and
 * a length of 8 bytes each, and the bytes that were written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define MOST 4096
static char watched[MOST];
static int traces[MOST];
static long calls;
static FILE *list;
static long asked_at = -1;
static char asked_kind[16];

#define REAL(name, type, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

/* Lets call number `at` from now on fail, none if it is negative; counting begins anew. */
void fault_at(long at, const char *kind)
{
    asked_at = at;
    calls = 0;
    snprintf(asked_kind, sizeof asked_kind, "%s", kind);
}

long fault_calls(void)
{
    return calls;
}

static int watch(int fd, const char *path)
{
    size_t length = strlen(path);
    if (fd < 0 || fd >= MOST)
        return fd;
    watched[fd] = length > 3 && !strcmp(path + length - 3, ".h5");
    traces[fd] = 0;
    if (watched[fd] && getenv("FAULT_TRACE")) {
        char name[4096];
        snprintf(name, sizeof name, "%s.trace", path);
        traces[fd] = REAL("open64", int, const char *, int, int)(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    return fd;
}

static void trace(int fd, char letter, uint64_t offset, uint64_t length, const void *bytes)
{
    if (fd < 0 || fd >= MOST || traces[fd] <= 0)
        return;
    char head[17] = {letter};
    memcpy(head + 1, &offset, 8);
    memcpy(head + 9, &length, 8);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, bytes ? length : 0}};
    if (writev(traces[fd], parts, 2) < 0)
        abort();
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    return watch(REAL("open64", int, const char *, int, int)(path, flags, mode), path);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    return watch(REAL("open", int, const char *, int, int)(path, flags, mode), path);
}

/* Whether this call is to fail; then `errno` says how, or is 0 for a short one. */
static int fails(int fd, char letter)
{
    if (fd < 0 || fd >= MOST || !watched[fd])
        return 0;
    const char *at = getenv("FAULT_AT"), *kind = getenv("FAULT_KIND"), *name = getenv("FAULT_LIST");
    if (name && !list)
        list = fopen(name, "w");
    if (list)
        fputc(letter, list), fflush(list);
    long first = *asked_kind ? asked_at : at ? atol(at) : -1, call = calls++;
    kind = *asked_kind ? asked_kind : kind;
    if (!kind || first < 0)
        return 0;
    if (!strcmp(kind, "FULL")) {
        errno = ENOSPC;
        return call >= first && (letter == 'w' || letter == 't');
    }
    if (!strcmp(kind, "TORN")) {
        errno = call == first ? 0 : ENOSPC;
        return call == first || call == first + 1;
    }
    if (call != first)
        return 0;
    errno = !strcmp(kind, "ENOSPC") ? ENOSPC : !strcmp(kind, "EIO") ? EIO : !strcmp(kind, "EINTR") ? EINTR : 0;
    return 1;
}

#define COUNTED(name, letter, buffer)                                                                     \
    ssize_t name(int fd, buffer bytes, size_t length, off64_t offset)                                     \
    {                                                                                                     \
        if (fails(fd, letter)) {                                                                          \
            if (errno)                                                                                    \
                return -1;                                                                                \
            length = length > 1 ? length / 2 : length;                                                    \
        }                                                                                                 \
        ssize_t done = REAL(#name, ssize_t, int, buffer, size_t, off64_t)(fd, bytes, length, offset);     \
        if (letter == 'w' && done > 0)                                                                    \
            trace(fd, letter, offset, done, bytes);                                                       \
        return done;                                                                                      \
    }

COUNTED(pread64, 'r', void *)
COUNTED(pread, 'r', void *)
COUNTED(pwrite64, 'w', const void *)
COUNTED(pwrite, 'w', const void *)

#define CUT(name)                                                  \
    int name(int fd, off64_t length)                               \
    {                                                              \
        if (fails(fd, 't') && errno)                               \
            return -1;                                             \
        int done = REAL(#name, int, int, off64_t)(fd, length);     \
        if (!done)                                                 \
            trace(fd, 't', 0, length, NULL);                       \
        return done;                                               \
    }

CUT(ftruncate64)
CUT(ftruncate)

#define WAITS(name)                                     \
    int name(int fd)                                    \
    {                                                   \
        if (fails(fd, 's') && errno)                    \
            return -1;                                  \
        int done = REAL(#name, int, int)(fd);           \
        if (!done)                                      \
            trace(fd, 's', 0, 0, NULL);                 \
        return done;                                    \
    }

WAITS(fsync)
WAITS(fdatasync)

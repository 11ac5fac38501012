/* Lets one system call on an HDF5 file fail: call number FAULT_AT (from 0) in the way of FAULT_KIND.
 *
 * For LD_PRELOAD. Reads, writes, truncations and waits for the disk are counted, on descriptors of files whose names
 * end in ".h5"; the calls are listed in the file FAULT_LIST, one letter each. The kinds are ENOSPC, EIO and EINTR, and
 * SHORT, which moves half of the bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define MOST 4096
static char watched[MOST];
static long calls;
static FILE *list;

#define REAL(name, type, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

static int watch(int fd, const char *path)
{
    size_t length = strlen(path);
    if (fd >= 0 && fd < MOST)
        watched[fd] = length > 3 && !strcmp(path + length - 3, ".h5");
    return fd;
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
    if (!at || !kind || calls++ != atol(at))
        return 0;
    errno = !strcmp(kind, "ENOSPC") ? ENOSPC : !strcmp(kind, "EIO") ? EIO : !strcmp(kind, "EINTR") ? EINTR : 0;
    return 1;
}

#define COUNTED(name, letter, buffer)                                                          \
    ssize_t name(int fd, buffer bytes, size_t length, off64_t offset)                          \
    {                                                                                          \
        if (fails(fd, letter)) {                                                               \
            if (errno)                                                                         \
                return -1;                                                                     \
            length = length > 1 ? length / 2 : length;                                         \
        }                                                                                      \
        return REAL(#name, ssize_t, int, buffer, size_t, off64_t)(fd, bytes, length, offset);  \
    }

COUNTED(pread64, 'r', void *)
COUNTED(pread, 'r', void *)
COUNTED(pwrite64, 'w', const void *)
COUNTED(pwrite, 'w', const void *)

int ftruncate64(int fd, off64_t length)
{
    if (fails(fd, 't') && errno)
        return -1;
    return REAL("ftruncate64", int, int, off64_t)(fd, length);
}

int fsync(int fd)
{
    if (fails(fd, 's') && errno)
        return -1;
    return REAL("fsync", int, int)(fd);
}

int fdatasync(int fd)
{
    if (fails(fd, 's') && errno)
        return -1;
    return REAL("fdatasync", int, int)(fd);
}

/* A disk whose fsync takes longer, by as many microseconds as SLOW_DISK_US says: for LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_for_it(void) {
    const char *text = getenv("SLOW_DISK_US");
    if (text != NULL) usleep((useconds_t)atoi(text));
}

int fsync(int fd) {
    static int (*real)(int);
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_for_it();
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_for_it();
    return real(fd);
}

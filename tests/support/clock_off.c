/* For LD_PRELOAD: the time of day is CLOCK_OFF seconds off; clocks that only measure differences are not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    const char *off = getenv("CLOCK_OFF");
    if (!failed && off && id == CLOCK_REALTIME) at->tv_sec += atol(off);
    return failed;
}

// Tells how late a thread that sleeps is woken on this machine, with nothing else to do. Linux only.
//
//   wakeups SECONDS RATE
//
// Sleeps until set times, RATE of them a second, and prints how much later it ran: percentiles in microseconds, as JSON.
// No server on the machine answers faster than this.

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#define SECOND 1000000000LL

static int ascending(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static int64_t nanoseconds(struct timespec time) { return time.tv_sec * SECOND + time.tv_nsec; }

int main(int argc, char **argv) {
    if (argc != 3 || atof(argv[1]) <= 0 || atof(argv[2]) <= 0) {
        fprintf(stderr, "wakeups: SECONDS RATE\n");
        return 1;
    }
    int64_t count = (int64_t)(atof(argv[1]) * atof(argv[2])), step = (int64_t)(SECOND / atof(argv[2]));
    int64_t *late = calloc(count + 1, sizeof *late);
    if (late == NULL || count == 0) return 1;
    // Timers may otherwise be 50 microseconds late.
    prctl(PR_SET_TIMERSLACK, 1);
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    int64_t start = nanoseconds(time);
    for (int64_t i = 0; i < count; i++) {
        int64_t due = start + (i + 1) * step;
        struct timespec at = {.tv_sec = due / SECOND, .tv_nsec = due % SECOND};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        clock_gettime(CLOCK_MONOTONIC, &time);
        late[i] = nanoseconds(time) - due;
    }
    qsort(late, count, sizeof *late, ascending);
    printf("{\"p50\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f}\n", late[count / 2] / 1e3, late[count * 99 / 100] / 1e3,
           late[count * 999 / 1000] / 1e3);
    return 0;
}

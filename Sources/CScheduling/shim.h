// A thread's slice of processor time. Linux has it since 6.12; the C library of today's systems does not.
#include <stdint.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

// The kernel's `struct sched_attr`, in its first form.
struct keybearer_scheduling {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

// The slice of the calling thread in nanoseconds; 0 where the kernel does not tell it.
static inline uint64_t keybearer_slice(void) {
    struct keybearer_scheduling own = {0};
    return syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) == 0 && own.policy == 0 ? own.runtime : 0;
}

// Asks for another slice for the calling thread, not for threads that it begins, and leaves all else as it is. An older
// kernel takes no notice. Threads under another policy than the usual one, such as real time, are left alone: there this
// field means something else.
static inline void keybearer_request_slice(uint64_t nanoseconds) {
    struct keybearer_scheduling own = {0};
    if (syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) != 0 || own.policy != 0) return;
    own.size = sizeof own;
    own.flags |= 1;  // SCHED_FLAG_RESET_ON_FORK
    own.runtime = nanoseconds;
    (void)syscall(SYS_sched_setattr, 0, &own, 0);
}
#else
static inline uint64_t keybearer_slice(void) { return 0; }
static inline void keybearer_request_slice(uint64_t nanoseconds) { (void)nanoseconds; }
#endif

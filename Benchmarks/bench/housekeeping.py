"""Work of the kernel that disturbs measurements: threads that scan all memory once every few seconds."""

import os
import statistics
import threading
import time

# Threads of the kernel that look at memory page by page. Where the kernel is not preempted, whoever wants the core they
# have waits until they are done.
NAMES = ("kdamond", "kcompactd", "khugepaged", "kswapd", "ksmd")
# How often they are looked at, in seconds, and how long at first: two bursts six seconds apart are found.
STEP = 0.05
OBSERVED = 13
# How many times as long as its usual runs a burst is, at least.
BURST = 2
# How much sooner than expected one may come, and how much closer to each other two of them may be than other two.
MARGIN = 0.2
UNEVEN = 0.5
# The shortest time between two that has room for a round, in seconds: what comes sooner behind a longer run, or before
# one, is none.
ROOM = 3
# How often a measurement is repeated that met a burst all the same.
REPEATS = 2


class Housekeeping:
    """Keeps measurements of a second or two out of the way of a burst that comes every few seconds.

    A burst holds one of the cores for up to 20 ms, one request in a hundred of two seconds: whether p99 is that of the
    server or of the burst is then an accident. Nothing is chosen by what was measured, and no burst is prevented.
    """

    def __init__(self):
        # The thread that is watched: the one of them that ran most while they were watched.
        self.thread: str | None = None
        # Seconds between two bursts; None where there are none that can be kept clear of.
        self.period: float | None = None
        # Seconds that a burst takes, and that anything else of the thread takes at most.
        self.burst = self.longest_look = 0.0
        # Seconds that it runs in a second between bursts.
        self.steady = 0.0
        # When the last one ended, as far as it was seen.
        self.ended = 0.0
        self.repeated = self.disturbed = 0
        self.learning = threading.Thread(target=self.learn, daemon=True)
        self.learning.start()

    def description(self) -> str:
        """What was seen of such threads, for the page of results."""
        if self.period is None:
            return "No kernel thread was seen to scan memory every few seconds, so no round was delayed."
        return (f"The kernel thread `{name_of(self.thread)}` scans memory every {self.period:.1f} s and occupies a core "
                f"for {self.burst * 1e3:.0f} ms if nothing else wants it. Rounds are scheduled between these bursts. "
                f"Rounds that met a burst and were repeated: {self.repeated}. Rounds in the table that met a burst "
                f"{REPEATS + 1} times: {self.disturbed}.")

    def learn(self) -> None:
        """Watches for some time, beside whatever goes on."""
        runs: dict[str, list[tuple[float, float]]] = {}
        for thread, ended, length in watch(kernel_threads(), OBSERVED):
            runs.setdefault(thread, []).append((ended, length))
        if not runs:
            return
        thread = max(runs, key=lambda one: sum(length for _, length in runs[one]))
        longest_look = BURST * statistics.median(length for _, length in runs[thread])
        bursts: list[tuple[float, float]] = []
        for run in sorted(runs[thread], key=lambda run: -run[1]):
            if run[1] > longest_look and all(abs(run[0] - burst[0]) >= ROOM for burst in bursts):
                bursts.append(run)
        bursts.sort()
        intervals = [later[0] - sooner[0] for sooner, later in zip(bursts, bursts[1:])]
        if not intervals or max(intervals) - min(intervals) > UNEVEN:
            return
        self.thread, self.longest_look = thread, longest_look
        self.period, self.ended = statistics.median(intervals), bursts[-1][0]
        self.burst = statistics.median(length for _, length in bursts)
        self.steady = sum(length for _, length in runs[thread] if length <= longest_look) / OBSERVED

    def run_clear(self, seconds: float, prepare, measure):
        """Passes the result of `prepare` to `measure`; returns the result of an attempt without a burst if possible.

        Measuring takes so many seconds. Preparing may take longer, and is repeated for every attempt.
        """
        self.learning.join()
        for attempt in range(REPEATS + 1):
            prepared = prepare()
            self.await_room(seconds)
            before = run_time(self.thread)
            measured = measure(prepared)
            if self.period is None or run_time(self.thread) - before < self.steady * seconds + self.burst / 2:
                return measured
            if attempt < REPEATS:
                self.repeated += 1
        self.disturbed += 1
        return measured

    def await_room(self, seconds: float) -> None:
        if self.period is None:
            return
        passed = (time.monotonic() - self.ended) % self.period
        if passed < self.period - seconds - MARGIN:
            return
        # Its time shifts a little with every burst, so it is observed again.
        for _, ended, length in watch([self.thread], self.period):
            if length > self.longest_look:
                self.ended = ended
                return


def watch(threads: list[str], seconds: float):
    """Yields which thread had run, when that was over, and how long it took; what lies a step apart is one run."""
    deadline = time.monotonic() + seconds
    before = {thread: run_time(thread) for thread in threads}
    lengths = dict.fromkeys(threads, 0.0)
    while threads and time.monotonic() < deadline:
        time.sleep(STEP)
        for thread in threads:
            now = run_time(thread)
            if now > before[thread]:
                lengths[thread] += now - before[thread]
            elif lengths[thread]:
                yield thread, time.monotonic(), lengths[thread]
                lengths[thread] = 0.0
            before[thread] = now


def kernel_threads() -> list[str]:
    """The /proc directories of the threads that go through memory; none where there is no such file."""
    processes = [name for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []
    # A thread of the kernel has no program.
    return [f"/proc/{process}" for process in processes
            if name_of(f"/proc/{process}").startswith(NAMES) and not os.path.exists(f"/proc/{process}/exe")]


def name_of(thread: str) -> str:
    try:
        with open(f"{thread}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def run_time(thread: str | None) -> float:
    """How long a thread has run so far, in seconds; 0 where the system does not report it."""
    if thread is None:
        return 0
    try:
        with open(f"{thread}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0

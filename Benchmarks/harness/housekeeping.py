"""What the kernel does for itself beside what is measured: threads that go through all memory, once every few seconds."""

import os
import statistics
import threading
import time

# Threads of the kernel that look at memory page by page. Only real-time threads run before them once they have a core.
NAMES = ("kdamond", "kcompactd", "khugepaged", "kswapd", "ksmd")
# How often they are looked at, in seconds, and how long at first: two bursts six seconds apart are found.
STEP = 0.05
OBSERVED = 13
# How much sooner than expected a burst may come.
MARGIN = 0.2
# How often something is measured anew in which one fell all the same.
REPEATS = 2


class Housekeeping:
    """Keeps measurements of a second or two out of the way of a burst that comes every few seconds.

    A burst holds one of the cores for up to 20 ms, one request in a hundred of two seconds: whether p99 is that of the
    server or of the burst is then an accident. Nothing is chosen by what was measured, and no burst is prevented.
    """

    def __init__(self):
        # The thread that is watched: the one of them that runs most.
        self.thread: str | None = None
        # Seconds between two bursts; None where there are none.
        self.period: float | None = None
        # Seconds that a burst takes, and that anything else of it takes at most.
        self.burst = self.look = 0.0
        # Seconds that it runs in a second between bursts.
        self.steady = 0.0
        # When the last one ended, as far as it was seen.
        self.ended = 0.0
        self.repeated = self.disturbed = 0
        self.learning = threading.Thread(target=self.learn, daemon=True)
        self.learning.start()

    def told(self) -> str:
        """What there was of it, for the page of results; empty where there was none."""
        if self.period is None:
            return ""
        return (f"The kernel's thread `{name_of(self.thread)}` looks through memory every {self.period:.1f} s, and holds "
                f"a core for {self.burst * 1e3:.0f} ms when nothing else wants it. Rounds stand between two of these "
                f"bursts; {self.repeated} that met one were asked anew, and {self.disturbed} of them met another.")

    def spent(self) -> float:
        """How long the thread has run so far, in seconds."""
        return run_time(self.thread) if self.thread else 0

    def learn(self) -> None:
        """Watches for some time, beside whatever goes on."""
        self.thread = max(kernel_threads(), key=run_time, default=None)
        runs = list(self.runs(OBSERVED)) if self.thread else []
        if not runs:
            return
        self.look = 2 * statistics.median(length for _, length in runs)
        bursts = [run for run in runs if run[1] > self.look]
        if len(bursts) < 2:
            return
        self.period = statistics.median(later[0] - sooner[0] for sooner, later in zip(bursts, bursts[1:]))
        self.burst = statistics.median(length for _, length in bursts)
        self.steady = sum(length for _, length in runs if length <= self.look) / OBSERVED
        self.ended = bursts[-1][0]

    def runs(self, seconds: float):
        """Yields when each of its runs was over, and how long it took; what lies a step apart is one."""
        deadline = time.monotonic() + seconds
        before, length = self.spent(), 0.0
        while time.monotonic() < deadline:
            time.sleep(STEP)
            now = self.spent()
            if now > before:
                length += now - before
            elif length:
                yield time.monotonic(), length
                length = 0.0
            before = now

    def keep_clear(self, seconds: float, measure):
        """What `measure` answers, of a time without a burst if that can be had."""
        self.learning.join()
        for attempt in range(REPEATS + 1):
            self.await_room(seconds)
            before = self.spent()
            measured = measure()
            if self.period is None or self.spent() - before < self.steady * seconds + self.burst / 2:
                return measured
            self.repeated += 1
        self.disturbed += 1
        return measured

    def await_room(self, seconds: float) -> None:
        if self.period is None:
            return
        passed = (time.monotonic() - self.ended) % self.period
        if passed < self.period - seconds - MARGIN:
            return
        # Its moment shifts a little every time: seen anew.
        for ended, length in self.runs(self.period):
            if length > self.look:
                self.ended = ended
                return


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


def run_time(thread: str) -> float:
    try:
        with open(f"{thread}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0

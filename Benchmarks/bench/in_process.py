"""Measurements in process, without the network, while the machine does nothing else."""

import os
import statistics

from .processes import print_progress, run

AIM = 1.8
# What SHA-256, which shares nothing, reaches with two threads where these have a core each: the median of before and
# after each of the rounds around the one that is judged. Where they have halves of one core it is 1.2.
WHOLE = 1.75
AROUND = 2
# How many rounds there must be to judge by.
LEAST = 10


class InProcess:
    """One verification beside one SHA-256, two threads against one, and the store requests that floods cause."""

    def __init__(self, program: str):
        self.program = program
        # Of each round of each measurement: hashes a microsecond with one thread and with two, verifications, and
        # hashes again.
        self.threads: list[list[list[float]]] = []

    def measure_threads(self) -> None:
        """Two threads against one.

        Called at several times of a run: what others do on the host falls on two threads more often than on one, for
        minutes at a time.
        """
        if os.path.exists(self.program):
            print_progress("Two threads against one")
            lines = run([self.program, "threads"], "two threads", timeout=120).strip().splitlines()
            self.threads.append([[float(number) for number in line.split()] for line in lines])

    def finish(self) -> list[str]:
        """The lines of all that was measured; none when the program has not been built."""
        if not os.path.exists(self.program):
            print_progress("In process: not measured, the program has not been built")
            return []
        self.measure_threads()
        print_progress("One verification in process")
        lines = run([self.program], "one verification", timeout=120).strip().splitlines()
        return lines + self.ratios()

    def ratios(self) -> list[str]:
        """Two cores of a virtual machine may be halves of one, and then nothing reaches twice. SHA-256 shows it for
        each round: the choice of the rounds does not look at what is judged."""
        all_rounds, whole = [], []
        for requested in self.threads:
            rounds = [[two / one for one, two in zip(each[::2], each[1::2])] for each in requested]
            all_rounds += rounds
            for number, (_, ratio, _) in enumerate(rounds):
                around = rounds[max(0, number - AROUND):number + AROUND + 1]
                # Several together: with one alone, its own variation would decide.
                if statistics.median(hashes for before, _, after in around for hashes in (before, after)) >= WHOLE:
                    whole.append(ratio)
        found = f"{statistics.median(whole):.2f}" if len(whole) >= LEAST else "not known"
        return [
            f"two threads : one = {found} (median of the {len(whole)} of {len(all_rounds)} rounds around which SHA-256, "
            f"which shares no data, reached {WHOLE}; 500 accounts per thread; target {AIM})",
            f"two threads : one, all rounds = {statistics.median(each[1] for each in all_rounds):.2f} (median); "
            f"SHA-256 {statistics.median(hashes for each in all_rounds for hashes in each[::2]):.2f}",
        ]

"""What is measured in process, without the network, while nothing else is asked of the machine."""

import os
import statistics

from .processes import note, run

# The aim, and what the machine must have given to SHA-256, which shares nothing, right before and right after a round
# that is judged.
AIM = WHOLE = 1.8
# Beyond it the hashes of one thread were held up; and how many rounds there must be to judge by.
MOST = 2.05
LEAST = 5


class InProcess:
    """One verification beside one SHA-256, two threads against one, and what floods ask of the store."""

    def __init__(self, program: str):
        self.program = program
        # Of each round: hashes a microsecond with one thread and with two, verifications, and hashes again.
        self.threads: list[list[float]] = []

    def ask_threads(self) -> None:
        """Two threads against one.

        Called at several times of a run: what others do on the host falls on two threads more often than on one, for
        minutes at a time.
        """
        if os.path.exists(self.program):
            note("Two threads against one")
            lines = run([self.program, "threads"], "two threads", timeout=120).strip().splitlines()
            self.threads += [[float(number) for number in line.split()] for line in lines]

    def finish(self) -> list[str]:
        """The lines of all that was measured; none when the program has not been built."""
        if not os.path.exists(self.program):
            note("In process: not measured, the program has not been built")
            return []
        self.ask_threads()
        note("One verification in process")
        lines = run([self.program], "one verification", timeout=120).strip().splitlines()
        return lines + self.ratios()

    def ratios(self) -> list[str]:
        """Two cores of a virtual machine may be halves of one, and then nothing reaches twice. SHA-256 tells for each
        round: the choice of the rounds does not look at what is judged."""
        ratios = [[two / one for one, two in zip(each[::2], each[1::2])] for each in self.threads]
        # Not by a hash of one thread that was held up: two of them reach no more than twice.
        whole = [ratio for before, ratio, after in ratios if min(before, after) >= WHOLE and max(before, after) < MOST]
        found = f"{statistics.median(whole):.2f}" if len(whole) >= LEAST else "not known"
        return [
            f"two threads : one = {found} (median of the {len(whole)} of {len(ratios)} rounds in which SHA-256, which "
            f"shares nothing, reached {WHOLE} to {MOST} before and after; 500 accounts each; aim {AIM})",
            f"two threads : one, of all rounds = {statistics.median(each[1] for each in ratios):.2f} (median), SHA-256 "
            f"{statistics.median(each[2] for each in ratios):.2f}",
        ]

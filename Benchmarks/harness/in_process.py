"""What is measured in process, without the network, while nothing else is asked of the machine."""

import os
import statistics

from .processes import note, run


class InProcess:
    """One verification beside one SHA-256, two threads against one, and what floods ask of the store."""

    def __init__(self, program: str):
        self.program = program
        # Of each round: verifications a microsecond with one thread and with two, and hashes.
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
        return lines + [
            f"two threads : one = {self.ratios(0, 1)} of {len(self.threads)} rounds at three times, 500 accounts each; "
            "aim 1.8)",
            f"two threads : one, of SHA-256, which shares nothing = {self.ratios(2, 3)})",
        ]

    def ratios(self, one: int, two: int) -> str:
        """The median of the rounds' own ratios, and the ratio of the fastest rounds: nothing makes a thread faster."""
        median = statistics.median(each[two] / each[one] for each in self.threads)
        fastest = max(each[two] for each in self.threads) / max(each[one] for each in self.threads)
        return f"{median:.2f} (median; {fastest:.2f} of the fastest"

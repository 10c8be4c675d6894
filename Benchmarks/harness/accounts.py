"""A database with a million accounts: how fast a server starts on it, and what a key costs that it does not know."""

import dataclasses
import os
import random
import statistics
import time

from . import latency, remembered, wakeups
from .exchange import Subject, ask
from .keybearer import Keybearer
from .peers import FORWARDED, PATH
from .processes import Processes, note, run

COUNT = 1_000_000
# How many of them are remembered in process: fetching all would take `make bench` beyond ten minutes.
IN_PROCESS = 300_000
STARTS = 5
# Keys that are asked for the first time behind each start: enough for a p99, and few beside all.
ASKED = 800


@dataclasses.dataclass
class Measured:
    count: int
    size: int
    load_seconds: float
    start_seconds: float
    asked: int
    # One of each start.
    cold: list[dict]
    warm: list[dict]
    disk: list[dict]
    in_process: list[str]
    over_http: remembered.Measured


class Million:
    """The database and what is measured on it."""

    def __init__(self, processes: Processes, binary: str, program: str, paced: latency.Paced, directory: str,
                 count: int):
        note(f"{count:,} accounts: making them")
        self.program, self.paced, self.directory, self.count = program, paced, directory, count
        self.server = Keybearer(processes, binary, directory, has_gate=True)
        # Makes the database, the master keys and the plans.
        self.server.start()
        self.server.stop()
        began = time.monotonic()
        run([program, "load", self.server.directory, str(count)], "making accounts", timeout=300)
        self.load_seconds = time.monotonic() - began
        # What is still to be written must not fall on what is measured.
        os.sync()
        with open(os.path.join(self.server.directory, "tokens")) as file:
            self.tokens = file.read().split()
        self.keys = random.sample(self.tokens, min(ASKED * STARTS, count // 4))
        self.database = os.path.join(self.server.directory, "keybearer.db")
        self.size = os.path.getsize(self.database)
        self.starts, self.cold, self.warm, self.disk = [], [], [], []

    def ask_once(self) -> None:
        """One start, and the first requests with some of the keys.

        Called at several times of a run: a disk that others use as well is slow for minutes at a time.
        """
        number = len(self.starts)
        note(f"{self.count:,} accounts: cold keys, start {number + 1} of {STARTS}")
        keys = self.keys[number::STARTS]
        read(self.database)
        with wakeups.cores_kept_awake():
            self.starts.append(start(self.server, keys[0]))
            subject = self.server.gate()
            self.paced.run(subject, 1, 0, f"good:{latency.GOOD_RATE}:4:{self.paced.tokens('key', keys[:1])}")
            self.disk.append(write_to_disk(os.path.join(self.directory, "disk")))
            for measured in (self.cold, self.warm)[:2 if number == 0 else 1]:
                measured.append(ask_in_turn(self.paced, subject, keys[1:]))
        self.server.stop()

    def finish(self, rounds: int) -> Measured:
        """What needs most of the accounts in memory."""
        self.server.start(serve=True)
        over_http = remembered.measure(
            self.server, self.paced, self.tokens, min(self.count, remembered.COUNT), rounds)
        self.server.stop()
        note(f"{self.count:,} accounts: in process")
        lines = run([self.program, "accounts", self.server.directory, str(min(self.count, IN_PROCESS))],
                    "VerificationBenchmark", timeout=300).strip().splitlines()
        return Measured(
            self.count, self.size, self.load_seconds, statistics.median(self.starts), len(self.keys) // STARTS - 1,
            self.cold, self.warm, self.disk, lines, over_http)


def read(path: str) -> None:
    """Reads a file, to have it in the kernel's memory: a kernel that pages out what was not used for some seconds would
    be measured instead, and the disk that the pages come back from."""
    with open(path, "rb", buffering=0) as file:
        while file.read(2 ** 20):
            pass


def ask_in_turn(paced: latency.Paced, subject: Subject, keys: list[str]) -> dict:
    classes = f"good:{latency.COLD_RATE}:4:{paced.tokens('cold', keys)}"
    told = paced.run(subject, len(keys) / latency.COLD_RATE, 0, classes)["good"]
    latency.expect_statuses(told, {"200"}, "keys that are asked for the first time")
    return told


def start(server: Keybearer, key: str) -> float:
    """Seconds from the start of the program to its first answer to a key."""
    server.stop()
    began = time.monotonic()
    server.start(serve=True)
    answer = ask(server.gate_port, PATH, f"Bearer {key}", fields=FORWARDED)
    assert answer.status == 200, answer
    return time.monotonic() - began


def write_to_disk(path: str) -> dict:
    """Writes as much as a reservation does, and waits for the disk: what a first request would wait for, too, if it were
    reserved for by itself.

    Before what is measured: beside it, it would be in the way.
    """
    writes, pause = 200, 0.005
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    block = os.urandom(8192)
    # Written once before: a file that grows takes longer.
    for number in range(writes):
        os.pwrite(file, block, number * len(block))
    os.fsync(file)
    times = []
    for number in range(writes):
        time.sleep(pause)
        began = time.perf_counter()
        os.pwrite(file, block, number * len(block))
        os.fdatasync(file)
        times.append((time.perf_counter() - began) * 1e6)
    os.close(file)
    times.sort()
    return {mark: times[min(len(times) - 1, int(len(times) * share))]
            for mark, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))}

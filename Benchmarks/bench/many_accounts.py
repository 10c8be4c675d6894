"""A database with a million accounts: how fast a server starts on it, and what a key costs that it does not know."""

import contextlib
import ctypes
import dataclasses
import mmap
import os
import random
import statistics
import time
from collections.abc import Iterator

from . import key_cache, latency, wakeups
from .keybearer import Keybearer
from .peers import FORWARDED, PATH
from .processes import Processes, print_progress, run
from .subject import Subject, send

COUNT = 1_000_000
# How many of them are cached in process: fetching all would take `make bench` beyond ten minutes.
IN_PROCESS = 200_000
STARTS = 5
# Keys that are sent for the first time behind each start: enough for a p99, and few beside all.
REQUESTED = 800


@dataclasses.dataclass
class Measured:
    count: int
    size: int
    load_seconds: float
    start_seconds: float
    requested: int
    # One of each start.
    cold: list[dict]
    warm: list[dict]
    disk: list[dict]
    # Whether the database was locked in memory, not only read before.
    is_locked: bool
    in_process: list[str]
    over_http: key_cache.Measured


class Million:
    """The database and what is measured on it."""

    def __init__(self, processes: Processes, binary: str, program: str, paced: latency.Paced, directory: str,
                 count: int):
        print_progress(f"{count:,} accounts: making them")
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
        self.tokens = read_tokens(self.server)
        self.keys = random.sample(self.tokens, min(REQUESTED * STARTS, count // 4))
        self.database = self.server.database_file
        self.size = os.path.getsize(self.database)
        self.starts, self.cold, self.warm, self.disk = [], [], [], []
        self.is_locked = False

    def make_few(self, count: int) -> tuple[Keybearer, list[str]]:
        """Another server with a database of its own, and the keys of all its accounts in any order."""
        few = Keybearer(self.server.processes, self.server.binary, os.path.join(self.directory, "few"), has_gate=True,
                        name="few")
        few.start()
        few.stop()
        run([self.program, "load", few.directory, str(count)], "making accounts", timeout=60)
        keys = read_tokens(few)
        random.shuffle(keys)
        return few, keys

    def request_once(self) -> None:
        """One start, and the first requests with some of the keys.

        Called at several times of a run: a disk that others use as well is slow for minutes at a time.
        """
        number = len(self.starts)
        print_progress(f"{self.count:,} accounts: cold keys, start {number + 1} of {STARTS}")
        keys = self.keys[number::STARTS]
        with locked_in_memory(self.database) as self.is_locked, wakeups.cores_awake():
            self.starts.append(start(self.server, keys[0]))
            subject = self.server.gate()
            self.paced.run(subject, 1, 0, f"good:{latency.GOOD_RATE}:4:{self.paced.tokens('key', keys[:1])}")
            self.disk.append(write_to_disk(os.path.join(self.directory, "disk")))
            for measured in (self.cold, self.warm)[:2 if number == 0 else 1]:
                measured.append(request_in_turn(self.paced, subject, keys[1:]))
        self.server.stop()

    def finish(self, rounds: int) -> Measured:
        """What needs most of the accounts in memory."""
        count = min(self.count, key_cache.COUNT)
        few, few_keys = self.make_few(min(key_cache.REQUESTED, count // 4))
        few.start(serve=True)
        self.server.start(serve=True)
        over_http = key_cache.measure(self.server, self.tokens, few, few_keys, self.paced, count, rounds)
        few.stop()
        self.server.stop()
        print_progress(f"{self.count:,} accounts: in process")
        lines = run([self.program, "accounts", self.server.directory, str(min(self.count, IN_PROCESS))],
                    "VerificationBenchmark", timeout=300).strip().splitlines()
        return Measured(
            self.count, self.size, self.load_seconds, statistics.median(self.starts), len(self.keys) // STARTS - 1,
            self.cold, self.warm, self.disk, self.is_locked, lines, over_http)


@contextlib.contextmanager
def locked_in_memory(path: str) -> Iterator[bool]:
    """Reads a file into the kernel's memory and locks it there: a kernel that pages out what was not used for some
    seconds would be measured instead, and the disk that the pages come back from.

    Whether it could be locked; if not, it was only read.
    """
    library = ctypes.CDLL(None)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    library.mlock.argtypes = library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    with open(path, "rb", buffering=0) as file:
        size = os.path.getsize(path)
        while file.read(2 ** 20):
            pass
        # Python's own mapping does not have its address.
        address = library.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    try:
        yield library.mlock(address, size) == 0
    finally:
        library.munmap(address, size)


def request_in_turn(paced: latency.Paced, subject: Subject, keys: list[str]) -> dict:
    classes = f"good:{latency.COLD_RATE}:4:{paced.tokens('cold', keys)}"
    result = paced.run(subject, len(keys) / latency.COLD_RATE, 0, classes)["good"]
    latency.expect_statuses(result, {"200"}, "keys that are sent for the first time")
    return result


def read_tokens(server: Keybearer) -> list[str]:
    with open(os.path.join(server.directory, "tokens")) as file:
        return file.read().split()


def start(server: Keybearer, key: str) -> float:
    """Seconds from the start of the program to its first response to a key."""
    server.stop()
    began = time.monotonic()
    server.start(serve=True)
    response = send(server.gate_port, PATH, f"Bearer {key}", headers=FORWARDED)
    assert response.status == 200, response
    return time.monotonic() - began


def write_to_disk(path: str) -> dict:
    """Writes as much as a reservation does and waits for the disk: what a first request would wait for as well, if one
    were made for it alone.

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

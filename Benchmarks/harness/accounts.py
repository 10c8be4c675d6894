"""A database with a million accounts: how fast a server starts on it, and what a key costs that it does not know."""

import dataclasses
import os
import random
import statistics
import time

from . import latency, remembered, wakeups
from .exchange import ask
from .keybearer import Keybearer
from .peers import FORWARDED, PATH
from .processes import Processes, note, run

COUNT = 1_000_000
# How many of them are remembered in process: fetching all would take `make bench` beyond ten minutes.
IN_PROCESS = 500_000
STARTS = 3
# Keys that are asked for the first time: enough for a p99, and few beside all.
ASKED = 1_000


@dataclasses.dataclass
class Measured:
    count: int
    size: int
    load_seconds: float
    start_seconds: float
    asked: int
    cold: dict
    warm: dict
    disk: dict
    in_process: list[str]
    over_http: remembered.Measured


def measure(processes: Processes, binary: str, program: str, paced: latency.Paced, directory: str,
            count: int, rounds: int) -> Measured:
    note(f"{count:,} accounts: making them")
    server = Keybearer(processes, binary, directory, has_gate=True)
    # Makes the database, the master keys and the plans.
    server.start()
    server.stop()
    began = time.monotonic()
    run([program, "load", server.directory, str(count)], "making accounts", timeout=300)
    loaded = time.monotonic() - began
    # What is still to be written must not fall on what is measured.
    os.sync()
    with open(os.path.join(server.directory, "tokens")) as file:
        tokens = file.read().split()
    keys = random.sample(tokens, min(ASKED, count // 4))
    size = os.path.getsize(os.path.join(server.directory, "keybearer.db"))

    note(f"{count:,} accounts: starts")
    starts = [start(server, keys[0]) for _ in range(STARTS)]
    note(f"{count:,} accounts: cold keys")
    subject = server.gate()
    paced.run(subject, 1, 0, f"good:{latency.GOOD_RATE}:4:{paced.tokens('key', keys[:1])}")
    cold = paced.tokens("cold", keys[1:])
    disk = Disk(os.path.join(directory, "disk"))
    with wakeups.cores_kept_awake():
        disk.write()
        asked = [
            paced.run(subject, (len(keys) - 1) / latency.COLD_RATE, 0, f"good:{latency.COLD_RATE}:4:{cold}")["good"]
            for _ in range(2)]
        disk.write()
    for one in asked:
        latency.expect_statuses(one, {"200"}, f"keys of {count:,}")
    over_http = remembered.measure(server, paced, tokens, min(count, remembered.COUNT), rounds)
    server.stop()

    note(f"{count:,} accounts: in process")
    lines = run([program, "accounts", server.directory, str(min(count, IN_PROCESS))], "VerificationBenchmark",
                timeout=300).strip().splitlines()
    return Measured(
        count, size, loaded, statistics.median(starts), len(keys) - 1, *asked, disk.marks(), lines, over_http)


def start(server: Keybearer, key: str) -> float:
    """Seconds from the start of the program to its first answer to a key."""
    server.stop()
    began = time.monotonic()
    server.start(serve=True)
    answer = ask(server.gate_port, PATH, f"Bearer {key}", fields=FORWARDED)
    assert answer.status == 200, answer
    return time.monotonic() - began


class Disk:
    """Writes as much as a reservation does, and waits for the disk: what no store that keeps its word can be faster than.

    Before and after what is measured: beside it, it would be in the way.
    """

    WRITES = 300
    PAUSE = 0.005

    def __init__(self, path: str):
        self.path = path
        self.times: list[float] = []

    def write(self) -> None:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        block = os.urandom(8192)
        # Written once before: a file that grows takes longer.
        for number in range(self.WRITES):
            os.pwrite(file, block, number * len(block))
        os.fsync(file)
        for number in range(self.WRITES):
            time.sleep(self.PAUSE)
            began = time.perf_counter()
            os.pwrite(file, block, number * len(block))
            os.fdatasync(file)
            self.times.append((time.perf_counter() - began) * 1e6)
        os.close(file)

    def marks(self) -> dict:
        times = sorted(self.times)
        return {mark: times[min(len(times) - 1, int(len(times) * share))]
                for mark, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))}

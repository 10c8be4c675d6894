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
IN_PROCESS = 500_000
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
    warm: dict
    disk: list[dict]
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
    keys = random.sample(tokens, min(ASKED * STARTS, count // 4))
    database = os.path.join(server.directory, "keybearer.db")
    size = os.path.getsize(database)

    starts, cold, disk = [], [], []
    with wakeups.cores_kept_awake():
        for number in range(STARTS):
            note(f"{count:,} accounts: cold keys, start {number + 1} of {STARTS}")
            some = keys[number::STARTS]
            read(database)
            starts.append(start(server, some[0]))
            subject = server.gate()
            paced.run(subject, 1, 0, f"good:{latency.GOOD_RATE}:4:{paced.tokens('key', some[:1])}")
            disk.append(write_to_disk(os.path.join(directory, "disk")))
            cold.append(ask_in_turn(paced, subject, some[1:]))
        warm = ask_in_turn(paced, subject, some[1:])
    over_http = remembered.measure(server, paced, tokens, min(count, remembered.COUNT), rounds)
    server.stop()

    note(f"{count:,} accounts: in process")
    lines = run([program, "accounts", server.directory, str(min(count, IN_PROCESS))], "VerificationBenchmark",
                timeout=300).strip().splitlines()
    return Measured(
        count, size, loaded, statistics.median(starts), len(some) - 1, cold, warm, disk, lines, over_http)


def read(path: str) -> None:
    """Reads a file that was just written once more: a kernel that pages out what was not used for some seconds would
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
    """Writes as much as a reservation does, and waits for the disk: what no store that keeps its word can be faster than.

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

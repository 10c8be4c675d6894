"""Response times at a fixed request rate, alone and under disturbances."""

import dataclasses
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

from harness.waiting import Failure

from . import preparation
from .forgery import forged_keys
from .housekeeping import Housekeeping
from .keybearer import Keybearer, start_churn, stop_churn
from .processes import Processes, print_progress, run
from .subject import Subject

GOOD_RATE = 2_000
BUSY_RATE = 10_000
FLOOD_RATE = 10 * GOOD_RATE
CONNECTIONS = 32
# Seconds at the beginning of each round that are not counted, and how much longer it takes than both: to begin the
# client, and what regenerates keys.
WARMUP = 0.4
STARTING = 0.1
STARTING_CHURN = 0.4
CHURN_RATE = 100
# A program that regenerates keys from another process, when the package of benchmarks has one. It is given the
# demonstration's directory and the rate, prints `ready`, and ends at SIGTERM with a line of JSON with `regenerated`.
CHURN_PROGRAM = os.path.join(preparation.BENCHMARKS, ".build", "release", "RegenerationBenchmark")
REPLACED_KEYS = 200
COLD_RATE = 200
COLD_STARTS = 5
# Floods are measured in one of so many rounds, and what is not judged in one of so many.
FLOODS = 2
SELDOM = 6


@dataclasses.dataclass
class Condition:
    """One kind of load, with what goes on beside it."""

    name: str
    title: str
    subject: Subject
    rate: int
    tokens: str
    # The quiet conditions that it is compared with: the same good load alone, and as many requests in all, all valid.
    base: str | None = None
    same_total: str | None = None
    # Makes the file of the tokens that flood the server, for every round again.
    flood: Callable[[], str] | None = None
    # Whether what floods the server is to be refused.
    refused: bool = True
    churn: list[str] | None = None
    # Measured in the first of so many rounds.
    every: int = 1


@dataclasses.dataclass
class Sample:
    good: dict
    flood: dict | None = None
    regenerated: float | None = None


# By condition and round.
Measured = dict[str, dict[int, Sample]]


class Paced:
    """The paced client. It shares the cores with the server: with a core for each, latencies were worse."""

    def __init__(self, program: str, directory: str):
        self.program = program
        self.directory = directory

    def tokens(self, name: str, keys: list[str]) -> str:
        path = os.path.join(self.directory, f"{name}.tokens")
        with open(path, "w") as file:
            file.writelines(f"{key}\n" for key in keys)
        return path

    def run(self, subject: Subject, seconds: float, warmup: float, *classes: str) -> dict:
        headers = "\n".join(f"{name}: {value}" for name, value in subject.headers.items())
        command = [self.program, "127.0.0.1", str(subject.port), subject.path, headers, f"{seconds + warmup}",
                   f"{warmup}", *classes]
        return json.loads(run(command, f"paced requests to {subject.name}", timeout=seconds + 60))


def expect_statuses(measured: dict, statuses: set[str], what: str) -> None:
    other = {status: number for status, number in measured["statuses"].items() if status not in statuses}
    if other or measured["lost"]:
        raise Failure(f"{what}: answers other than {'/'.join(sorted(statuses))}: {other}, lost {measured['lost']}")


def measure_condition(
        condition: Condition, flood: str | None, paced: Paced, processes: Processes, seconds: float) -> Sample:
    classes = [f"good:{condition.rate}:{CONNECTIONS}:{condition.tokens}"]
    if flood:
        classes.append(f"flood:{FLOOD_RATE}:{CONNECTIONS}:{flood}")
    churn = start_churn(processes, condition.churn) if condition.churn else None
    began = time.monotonic()
    measured = paced.run(condition.subject, seconds, WARMUP, *classes)
    sample = Sample(measured["good"], measured.get("flood"))
    if churn:
        sample.regenerated = stop_churn(processes, churn) / (time.monotonic() - began)
    expect_statuses(sample.good, {"200"}, condition.title)
    if sample.flood:
        expect_statuses(sample.flood, {"401" if condition.refused else "200"}, f"{condition.title}, the flood")
    return sample


def measure(conditions: list[Condition], paced: Paced, processes: Processes, housekeeping: Housekeeping, rounds: int,
            seconds: float) -> Measured:
    """Interleaved rounds, as for throughput, each out of the way of the kernel's housekeeping."""
    measured: Measured = {condition.name: {} for condition in conditions}
    for number in range(rounds):
        print_progress(f"Latency, round {number + 1} of {rounds}")
        for condition in conditions:
            if number % condition.every == 0:
                starting = STARTING_CHURN if condition.churn else STARTING
                measured[condition.name][number] = housekeeping.run_clear(
                    seconds + WARMUP + starting, condition.flood or (lambda: None),
                    lambda flood: measure_condition(condition, flood, paced, processes, seconds))
                time.sleep(0.05)
    return measured


def conditions(paced: Paced, server: Keybearer, subject: Subject, haproxy: Subject | None, replaced: list[str],
               accounts: list[str], churn: str | None) -> list[Condition]:
    """What is compared with what."""
    key = paced.tokens("key", [server.key])
    # Half of the accounts send requests; the keys of the other half are replaced meanwhile.
    requesting, churning = accounts[::2], accounts[1::2]
    replaced_keys = paced.tokens("dead", replaced)
    churned = paced.tokens("churned", churning)
    where = "by another process"
    if churn:
        churn_command = [part.format(directory=server.directory, rate=CHURN_RATE) for part in churn.split()]
    elif os.path.exists(CHURN_PROGRAM):
        churn_command = [CHURN_PROGRAM, server.directory, str(CHURN_RATE)]
    else:
        churn_command = [sys.executable, os.path.join(preparation.FOLDER, "churn.py"), str(server.port),
                         str(CHURN_RATE), churned]
        where = "through the API of the same server"
    # Enough for a round, with hardly any twice: a refused token might be cached.
    forged = lambda: paced.tokens("forged", forged_keys(FLOOD_RATE * 3))  # noqa: E731
    # Those that are compared stand side by side: what else the machine does is then most alike.
    made = [
        Condition("quiet", "one account, no other load", subject, GOOD_RATE, key),
        Condition("churn", f"while {CHURN_RATE} keys/s of other accounts are regenerated {where}", subject,
                  GOOD_RATE, key, "quiet", churn=churn_command),
        # What the load alone does, whatever is asked: the flood is to be judged beside it too.
        Condition("load", f"plus {FLOOD_RATE:,} requests/s with the same key", subject, GOOD_RATE, key,
                  "quiet", flood=lambda: key, refused=False, every=FLOODS),
        Condition("forged", f"plus {FLOOD_RATE:,} requests/s with forged keys", subject, GOOD_RATE, key, "quiet",
                  "load", flood=forged, every=FLOODS),
        Condition("dead", f"plus {FLOOD_RATE:,} requests/s with {len(replaced)} regenerated keys", subject,
                  GOOD_RATE, key, "quiet", "load", flood=lambda: replaced_keys, every=FLOODS),
        Condition("accounts", f"{len(requesting)} accounts in rotation", subject, GOOD_RATE,
                  paced.tokens("asking", requesting), "quiet", every=SELDOM),
        Condition("busy", "one account, no other load", subject, BUSY_RATE, key, every=SELDOM),
    ]
    if haproxy:
        made += [
            Condition("busy haproxy", "HAProxy, no other load", haproxy, BUSY_RATE, key, "busy", every=SELDOM),
            Condition("quiet haproxy", "HAProxy, no other load", haproxy, GOOD_RATE, key, "quiet", every=SELDOM),
            Condition("forged haproxy", f"HAProxy, plus {FLOOD_RATE:,} requests/s with forged keys", haproxy, GOOD_RATE,
                      key, "quiet haproxy", flood=forged, every=SELDOM),
        ]
    return made


def ratio(measured: Measured, name: str, base: str, mark: str = "p99", seen: bool = False) -> float:
    """The median of each round's own ratio, of the server's times or of those that the client saw."""
    times = (lambda sample: sample.good["seen"]) if seen else (lambda sample: sample.good)
    return statistics.median(
        times(sample)[mark] / times(measured[base][number])[mark] for number, sample in measured[name].items())


def seen_p99(measured: list[dict]) -> float:
    """The median of what the client saw at p99, in microseconds."""
    return statistics.median(one["seen"]["p99"] for one in measured)


def measure_cold(paced: Paced, server: Keybearer, subject_of, accounts: list[str]) -> list[tuple[dict, dict]]:
    """The first request with each key behind a start of the server, and the second: (cold, warm) for each start."""
    pairs = []
    for number in range(COLD_STARTS):
        print_progress(f"Cold keys, start {number + 1} of {COLD_STARTS}")
        server.stop()
        server.start()
        server.open_plan()
        subject = subject_of()
        # The server itself is to be warm: its code, its listener, its database.
        warm_up = paced.tokens("key", [server.key])
        paced.run(subject, 1, 0, f"good:{GOOD_RATE}:4:{warm_up}")
        tokens = paced.tokens("cold", accounts)
        pair = []
        for name in ("cold", "warm"):
            measured = paced.run(subject, len(accounts) / COLD_RATE, 0, f"good:{COLD_RATE}:4:{tokens}")["good"]
            expect_statuses(measured, {"200"}, f"{name} keys")
            pair.append(measured)
        pairs.append(tuple(pair))
    return pairs

"""Requests a second of two commits, over real sockets, measured alternately."""

import dataclasses
import os
import statistics

from . import latency, throughput, wakeups
from .compare_builds import Version
from .keybearer import Keybearer
from .processes import Processes, print_progress

# How many starts of the server one measurement of cold keys takes.
COLD_STARTS = 6
# Seconds of requests with a warm key before cold keys are sent.
WARM_UP = 0.2
# All requests are due immediately, so each connection sends its next request when it has its response.
AT_ONCE = 1_000_000


@dataclasses.dataclass(frozen=True)
class Measurement:
    name: str
    title: str


MEASUREMENTS = [
    Measurement("gate", "gate, warm key"),
    Measurement("me", "`GET /api/v1/me`, warm key"),
    Measurement("cold", "gate, cold keys"),
]
# By measurement: (base, head) of each pair, in requests a second.
Rates = dict[str, list[tuple[float, float]]]


def measure(versions: tuple[Version, Version], processes: Processes, paced: latency.Paced, directory: str, pairs: int,
            seconds: int) -> Rates:
    """In each pair, both commits are measured one right after the other; who is first alternates."""
    rates: Rates = {measurement.name: [] for measurement in MEASUREMENTS}
    place = os.path.join(directory, "rounds")
    for number in range(pairs):
        print_progress(f"Requests a second, pair {number + 1} of {pairs}")
        order = versions if number % 2 == 0 else versions[::-1]
        # Fresh servers for every pair: where a process has its memory differs from start to start.
        servers = {version.name: start(version, processes, place) for version in order}
        for name, subject_of in (("gate", Keybearer.gate), ("me", Keybearer.profile)):
            measured = {}
            for version in order:
                subject = subject_of(servers[version.name])
                subject.check()
                throughput.run_wrk(subject, 1)
                measured[version.name] = throughput.measure_once(subject, seconds).rate
            rates[name].append((measured["base"], measured["head"]))
        for server in servers.values():
            server.stop()
        with wakeups.cores_awake():
            rates["cold"].append(measure_cold(order, processes, paced, place))
    return rates


def start(version: Version, processes: Processes, place: str) -> Keybearer:
    server = version.server(processes, place)
    server.start(serve=True)
    return server


def measure_cold(order: tuple[Version, Version], processes: Processes, paced: latency.Paced,
                 place: str) -> tuple[float, float]:
    """Requests a second with keys that are sent for the first time since the server's start.

    The keys of one start are answered within a fraction of a second, so this is the median of several starts. On a busy
    machine it is steadier than the median latency at a fixed pace, where requests queue up behind one another.
    """
    rates: dict[str, list[float]] = {version.name: [] for version in order}
    for number in range(COLD_STARTS):
        for version in order if number % 2 == 0 else order[::-1]:
            server = start(version, processes, place)
            subject = server.gate()
            warm, *cold = version.keys()
            paced.run(subject, WARM_UP, 0, f"good:{latency.GOOD_RATE}:4:{paced.tokens('warm', [warm])}")
            classes = f"good:{AT_ONCE}:{subject.connections}:{paced.tokens('cold', cold)}"
            result = paced.run(subject, len(cold) / AT_ONCE, 0, classes)["good"]
            latency.expect_statuses(result, {"200"}, f"cold keys, {version.name}")
            rates[version.name].append(result["achieved"])
            server.stop()
    return statistics.median(rates["base"]), statistics.median(rates["head"])

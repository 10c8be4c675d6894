"""Requests per second by wrk, all subjects interleaved."""

import dataclasses
import re
import statistics
import time

from harness.waiting import Failure

from .processes import print_progress, run
from .subject import Subject

# With one, the client was the bound of what is fast: a thread can use no more than the core that it has.
THREADS = 2


@dataclasses.dataclass
class Round:
    rate: float
    # Processor time of the server for one request, in microseconds; None where the system does not report it.
    processor: float | None


@dataclasses.dataclass
class Report:
    """What wrk reported."""

    rate: float
    requests: int
    # Responses other than 2xx and 3xx, and lost connections.
    refused: int
    failed: int


def command(subject: Subject, seconds: float) -> list[str]:
    headers = dict(subject.headers)
    if subject.authorization:
        headers["Authorization"] = subject.authorization
    options = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    if subject.script:
        options += ["-s", subject.script]
    return ["wrk", f"-t{THREADS}", f"-c{subject.connections}", f"-d{max(1, round(seconds))}s", *options, subject.url]


def run_wrk(subject: Subject, seconds: float) -> Report:
    result = run(command(subject, seconds), f"wrk on {subject.name}", timeout=seconds + 60)
    failed = re.search(r"Socket errors: connect (\d+), read \d+, write (\d+), timeout (\d+)", result)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", result)
    return Report(
        float(re.search(r"Requests/sec:\s+([\d.]+)", result)[1]), int(re.search(r"(\d+) requests in", result)[1]),
        int(refused[1]) if refused else 0,
        # gunicorn's workers end the connection with each response, which wrk may count as an error of reading.
        sum(map(int, failed.groups())) if failed else 0)


def measure_once(subject: Subject, seconds: float) -> Round:
    """One round of one subject; every response must have been a 200."""
    subject.process.expect_running()
    before = subject.process.processor_seconds()
    report = run_wrk(subject, seconds)
    after = subject.process.processor_seconds()
    if report.refused or report.failed or report.requests == 0:
        raise Failure(f"{subject.name} under load: {report.requests} responses, {report.refused} of them refusals, and "
                      f"{report.failed} lost connections")
    processor = None if before is None or after is None else (after - before) / report.requests * 1e6
    return Round(report.rate, processor)


def measure(subjects: list[Subject], rounds: int, seconds: float) -> dict[str, list[Round]]:
    """Interleaved rounds, so that other load of the machine affects all subjects alike."""
    for subject in subjects:
        subject.check()
        measure_once(subject, min(1, seconds))
    measured: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        print_progress(f"Requests a second, round {number + 1} of {rounds}")
        for subject in subjects:
            measured[subject.name].append(measure_once(subject, seconds * subject.share))
            # What the last one still has to put away is not to fall on the next.
            time.sleep(0.1)
    return measured


def ratio(measured: dict[str, list[Round]], name: str, base: str) -> float | None:
    """The median of each round's own ratio."""
    if not measured.get(name) or not measured.get(base):
        return None
    return statistics.median(one.rate / other.rate for one, other in zip(measured[name], measured[base]))


def processor_ratio(measured: dict[str, list[Round]], name: str, base: str) -> float | None:
    pairs = [(one.processor, other.processor) for one, other in zip(measured.get(name, []), measured.get(base, []))]
    if not pairs or not all(one and other for one, other in pairs):
        return None
    return statistics.median(one / other for one, other in pairs)

"""Requests a second by wrk, all subjects in turns."""

import dataclasses
import re
import statistics
import time

from .exchange import Subject
from .processes import Failure, note, run

CONNECTIONS = 32


@dataclasses.dataclass
class Round:
    rate: float
    # Processor time of the server for one request, in microseconds; None where the system does not tell.
    processor: float | None


def command(subject: Subject, seconds: float) -> list[str]:
    fields = dict(subject.fields)
    if subject.authorization:
        fields["Authorization"] = subject.authorization
    options = [option for name, value in fields.items() for option in ("-H", f"{name}: {value}")]
    return ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", *options, subject.url]


def measure_once(subject: Subject, seconds: float) -> Round:
    """One round of one subject; every answer must have been a 200."""
    subject.process.expect_running()
    before = subject.process.processor_seconds()
    report = run(command(subject, seconds), f"wrk on {subject.name}", timeout=seconds + 60)
    after = subject.process.processor_seconds()
    if "Non-2xx" in report:
        raise Failure(f"{subject.name} refused requests under load: {re.search('Non-2xx.*', report)[0]}")
    if failed := re.search(r"Socket errors: (.*)", report):
        # gunicorn's workers end the connection with each answer, which wrk may count as an error of reading.
        if re.search(r"connect [1-9]|write [1-9]|timeout [1-9]", failed[1]):
            raise Failure(f"{subject.name} lost connections under load: {failed[1]}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1])
    requests = int(re.search(r"(\d+) requests in", report)[1])
    if requests == 0:
        raise Failure(f"{subject.name} answered nothing under load")
    return Round(rate, None if before is None or after is None else (after - before) / requests * 1e6)


def measure(subjects: list[Subject], rounds: int, seconds: float) -> dict[str, list[Round]]:
    """Rounds in turns, so that what else the machine does falls on all subjects alike."""
    for subject in subjects:
        subject.check()
        measure_once(subject, min(1, seconds))
    measured: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        note(f"Requests a second, round {number + 1} of {rounds}")
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

"""What was measured, as a page in Markdown."""

import dataclasses
import re
import statistics
import textwrap

from . import latency, many_accounts, shared_store, throughput, wakeups
from .housekeeping import Housekeeping
from .markdown import number_text, paragraph, ratio_text, table
from .store_report import million_lines, shared_lines
from .subject import CONNECTIONS

# The most that the p99 of good traffic may grow beside a disturbance.
FLOOD_LIMIT = 2.0
# The conditions that it is an aim for.
JUDGED = ("forged", "dead", "churn")
BASE = "haproxy"
SHORT_NAMES = {"nginx": "nginx", "haproxy": "HAProxy", "gate": "the gate", "me": "`/api/v1/me`", "knox": "knox"}


@dataclasses.dataclass
class Results:
    date: str
    machine: list[tuple[str, str]]
    versions: list[tuple[str, str]]
    subjects: list  # of Subject
    rounds: dict[str, list[throughput.Round]]
    round_seconds: float
    wake_ups: wakeups.Measured
    conditions: list[latency.Condition]
    samples: latency.Measured
    latency_seconds: float
    housekeeping: Housekeeping
    cold: list[tuple[dict, dict]]
    accounts: int
    verification: list[str]
    shared: shared_store.Measured | None
    million: many_accounts.Measured | None
    # Seconds by part of the run.
    laps: dict[str, float]
    commands: list[str]

    @property
    def base(self) -> str:
        """HAProxy does the gate's work, so everything is put in relation to it when it was measured."""
        return BASE if BASE in self.rounds else self.subjects[0].name


def page(results: Results, chart: str) -> str:
    lines = [
        "# Results of the benchmarks", "",
        *paragraph(
            "Written by `make bench`; not edited by hand. [Benchmarks](../benchmarks.md) tells what is measured and "
            "how to read it. Compare ratios, not figures: all of one table were measured interleaved in one run."),
        f"![Bar chart of the ratios below]({chart})", "",
        f"Measured on {results.date}.", "",
        *table(["machine", ""], [list(row) for row in results.machine]),
        *table(["program", "version"], [list(row) for row in results.versions]),
        *throughput_lines(results), *wake_up_lines(results.wake_ups), *latency_lines(results),
        *cold_lines(results), *verification_lines(results),
        *shared_lines(results.shared), *million_lines(results.million), *laps_lines(results.laps),
        "## Commands", "",
        "```sh", *[line for command in results.commands for line in wrapped_command(command)], "```", "",
    ]
    return "\n".join(lines)


def throughput_lines(results: Results) -> list[str]:
    base = results.base
    named = SHORT_NAMES.get(base, base)
    rows = []
    for subject in results.subjects:
        rounds = results.rounds[subject.name]
        processor = [one.processor for one in rounds if one.processor is not None]
        rows.append([
            subject.title,
            number_text(statistics.median(one.rate for one in rounds)),
            ratio_text(throughput.ratio(results.rounds, subject.name, base)),
            ratio_text(throughput.ratio(results.rounds, subject.name, "healthz")),
            f"{statistics.median(processor):.1f}" if processor else "–",
            ratio_text(throughput.processor_ratio(results.rounds, subject.name, base)),
        ])
    count = len(next(iter(results.rounds.values())))
    return [
        "## Requests a second", "",
        *paragraph(
            f"wrk with {throughput.THREADS} threads and {CONNECTIONS} keep-alive connections, on the same cores as the "
            f"server. {count} interleaved rounds of {results.round_seconds:g} s (the Django peers: 1 s). Rates are "
            "medians, and ratios are medians of the rounds' own ratios."),
        *table(
            ["what", "requests a second", f"ratio to {named}", "ratio to bare route",
             "server's processor µs a request", f"its ratio to {named}"], rows, 5),
    ]


def wake_up_lines(measured: wakeups.Measured) -> list[str]:
    marks = ("p50", "p99", "p99.9")
    rows = [["as the machine is", *(number_text(measured.asleep[mark]) for mark in marks)]]
    if measured.awake:
        rows.append(["cores kept awake", *(number_text(measured.awake[mark]) for mark in marks)])
    result = "The latencies below were measured with the cores kept awake" if measured.awake else (
        "The cores could not be kept awake, so the latencies below have these wake-ups in them")
    return [
        "## The machine's own wake-ups", "",
        *paragraph(
            f"How much later than it asked for a sleeping thread runs while the machine does nothing else, "
            f"{wakeups.RATE:,} times a second for {wakeups.SECONDS} s, in microseconds. {result}: no answer comes sooner "
            "than the thread that gives it is woken."),
        *table(["a timer alone", *marks], rows, 3),
    ]


def latency_lines(results: Results) -> list[str]:
    if not results.samples:
        return []
    rows, remarks = [], []
    places = {condition.name: place for place, condition in enumerate(results.conditions, 1)}
    for condition in results.conditions:
        samples = list(results.samples[condition.name].values())
        marks = [number_text(statistics.median(one.good[mark] for one in samples)) for mark in ("p50", "p99", "p99.9")]
        seen = ", ".join(
            number_text(statistics.median(one.good["seen"][mark] for one in samples)) for mark in ("p99", "p99.9"))
        compared = [
            ratios_text(results, condition.name, base, places) for base in (condition.base, condition.same_total)]
        rows.append([str(places[condition.name]), condition.title, f"{condition.rate:,}", str(len(samples)), *marks, seen,
                     *compared])
        remarks += shortfalls(condition, samples)
        if condition.name in JUDGED:
            remarks.append(judgement(results, condition))
        if condition.churn:
            done = statistics.median(one.regenerated for one in samples)
            remarks.append(f"{sentence(condition.title)}: {done:.0f} a second were regenerated.")
    count = len(next(iter(results.samples.values())))
    subject = results.conditions[0].subject
    return [
        "## Latency at a fixed pace", "",
        *paragraph(
            f"`{subject.path}` of Keybearer, or of HAProxy where it says so. {count} interleaved rounds of "
            f"{results.latency_seconds:g} s; some things are measured in some of them only. Medians of the rounds, in "
            "microseconds. A request's time is the server's: from when it was sent until the kernel had received the "
            "answer; what was due while all connections were busy counts from then. Client and servers share the cores, "
            "and the client may wait for one that the server's other threads have, so what it saw is told beside it: "
            "from when each request was due until the kernel had received the answer. What "
            "regenerates keys stands for other machines' clients and runs at nice 19. The last columns are the ratios "
            "of p99 and of p99.9, the server's and the client's, to those of the row they name: (a) of the same good load "
            "alone, (b) of the same load in all, every request of it with a valid key. They are medians of the rounds' "
            "own ratios. Lower is better."),
        *paragraph(results.housekeeping.description()),
        *table(
            ["row", "what", "requests a second", "rounds", "p50", "p99", "p99.9",
             "p99, p99.9 as the client saw it", "(a) to the same good load alone",
             "(b) to the same load in all, all valid"], rows, 8),
        *[line for one in remarks for line in textwrap.wrap(f"- {one}", 116, subsequent_indent="  ")], "",
    ]


def ratios_text(results: Results, name: str, base: str | None, places: dict[str, int]) -> str:
    if not base:
        return "–"
    found = [
        " and ".join(ratio_text(latency.ratio(results.samples, name, base, mark, seen)) for seen in (False, True))
        for mark in ("p99", "p99.9")]
    return f"{', '.join(found)} × {places[base]}"


def judgement(results: Results, condition: latency.Condition) -> str:
    """What the aim says of a condition: a flood is judged at equal load."""
    base, named = (condition.same_total, "(b)") if condition.same_total else (condition.base, "(a)")
    parts = []
    for mark in ("p99", "p99.9"):
        server, seen = (latency.ratio(results.samples, condition.name, base, mark, seen) for seen in (False, True))
        judged = "within" if max(server, seen) <= FLOOD_LIMIT else "NOT WITHIN"
        parts.append(f"{mark} × {server:.2f}, as the client saw it × {seen:.2f}, {judged} the aim of {FLOOD_LIMIT:g}")
    return f"{sentence(condition.title)}, against {named}: {'; '.join(parts)}."


def shortfalls(condition: latency.Condition, samples: list[latency.Sample]) -> list[str]:
    """What was offered and not taken: then the figures are those of a server that is overloaded."""
    lines = []
    for what in ("good", "flood"):
        measured = [getattr(one, what) for one in samples if getattr(one, what)]
        if not measured:
            continue
        achieved = statistics.median(one["achieved"] / one["offered"] for one in measured)
        unanswered = sum(one["unanswered"] for one in measured)
        if achieved < 0.97 or unanswered:
            lines.append(f"{sentence(condition.title)}: {achieved:.0%} of the {what} requests were answered at their "
                         f"pace, {unanswered} never; the machine had no more to give.")
    return lines


def wrapped_command(command: str) -> list[str]:
    """A command on lines that end with a backslash, broken nowhere between quotation marks."""
    lines = [""]
    for part in re.findall(r'"[^"]*"|\S+', command):
        if len(lines[-1]) + len(part) > 112:
            lines[-1] += " \\"
            lines.append(" ")
        lines[-1] += f" {part}" if lines[-1] else part
    return lines


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def cold_lines(results: Results) -> list[str]:
    if not results.cold:
        return []
    rows = [["first request with a key"], ["second request with it"], ["ratio"]]
    seen_p99 = [latency.seen_p99(list(measured)) for measured in zip(*results.cold)]
    for mark in ("p50", "p99", "p99.9"):
        rows[0].append(number_text(statistics.median(cold[mark] for cold, _ in results.cold)))
        rows[1].append(number_text(statistics.median(warm[mark] for _, warm in results.cold)))
        rows[2].append(ratio_text(statistics.median(cold[mark] / warm[mark] for cold, warm in results.cold)))
    return [
        "## Cold keys", "",
        *paragraph(
            f"{results.accounts} accounts, each asked once behind a start of the server and once more, at "
            f"{latency.COLD_RATE} requests a second; medians of {len(results.cold)} starts, in microseconds, by the "
            f"server's time. As the client saw it, p99 was {number_text(seen_p99[0])} and "
            f"{number_text(seen_p99[1])}."),
        *table(["what", "p50", "p99", "p99.9"], rows, 3),
    ]


def verification_lines(results: Results) -> list[str]:
    lines = ["## In process: one verification, two threads, floods", ""]
    if not results.verification:
        return [*lines, "Not measured in this run.", ""]
    return [*lines, "```", *results.verification, "```", ""]


def laps_lines(laps: dict[str, float]) -> list[str]:
    rows = [[name, f"{seconds:.0f}"] for name, seconds in laps.items()]
    rows.append(["all, without the builds", f"{sum(laps.values()):.0f}"])
    return ["## How long the parts took", "", *table(["part of `make bench`", "seconds"], rows, 1)]

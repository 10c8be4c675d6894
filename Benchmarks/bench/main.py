"""The whole run: builds, starts everything, measures in interleaved rounds, writes docs/benchmarks/."""

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time

from harness.waiting import Failure

from . import (
    chart, in_process, latency, many_accounts, peers, preparation, report, shared_store, throughput, wakeups,
)
from .housekeeping import Housekeeping
from .keybearer import Keybearer
from .processes import Processes, print_progress

BINARY = os.path.join(preparation.ROOT, ".build-release", "release", "keybearer")
VERIFICATION = os.path.join(preparation.BENCHMARKS, ".build", "release", "VerificationBenchmark")
NAMES = ["nginx", "haproxy", "gate", "healthz", "me", "knox", "apikey"]
SHORT_TITLES = {
    "nginx": "nginx, map only", "haproxy": "HAProxy, the gate's work", "gate": "Keybearer's gate",
    "healthz": "bare Hummingbird route", "me": "Keybearer's /api/v1/me", "knox": "django-rest-knox",
    "apikey": "djangorestframework-api-key",
}
PROGRAMS = {"wrk": "wrk", "cc": "gcc", "nginx": "nginx", "haproxy": "haproxy", "python3-venv": "python3-venv",
            "initdb": "postgresql", "openssl": "openssl"}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/run-benchmarks", description="Measures Keybearer beside its peers and prints ratios.")
    parser.add_argument("--quick", action="store_true", help="two rounds of one second each, for trying")
    parser.add_argument("--only", metavar="NAMES", default=",".join(NAMES),
                        help=f"what to measure, of {','.join(NAMES)}; without the gate, latency is that of /api/v1/me")
    parser.add_argument("--output", metavar="DIRECTORY",
                        help="where results.md and gate.svg go (docs/benchmarks; nowhere with --quick or --only)")
    parser.add_argument("--binary", metavar="FILE", help="measure this keybearer, and build nothing")
    parser.add_argument("--churn", metavar="COMMAND",
                        help="what regenerates keys of other accounts, with {directory} and {rate}; see latency.py")
    options = parser.parse_args(arguments)
    options.names = options.only.split(",")
    for name in options.names:
        if name not in NAMES:
            parser.error(f"there is no {name!r} to measure, but {', '.join(NAMES)}")
    if not options.output and not options.quick and set(options.names) == set(NAMES):
        options.output = os.path.join(preparation.ROOT, "docs", "benchmarks")
    return options


def build() -> None:
    for command in (
        ["swift", "build", "-c", "release", "--product", "keybearer", "--scratch-path", ".build-release"],
        ["swift", "build", "-c", "release", "--package-path", "Benchmarks"],
    ):
        # Its output is for the person: a build takes minutes.
        if subprocess.run(command, cwd=preparation.ROOT, check=False).returncode != 0:
            raise Failure(f"`{' '.join(command)}` failed")


def measure(options: argparse.Namespace, processes: Processes, directory: str, paced_program: str) -> report.Results:
    names = options.names
    rounds, latency_rounds, seconds, latency_seconds = (2, 2, 1, 1) if options.quick else (6, 12, 2, 1.7)
    laps = Laps()
    alone = laps.time("timer wake-ups", wakeups.measure, directory)
    housekeeping = Housekeeping()
    print_progress("Starting Keybearer and its peers")
    server = Keybearer(processes, options.binary or BINARY, directory, has_gate="gate" in names)
    server.start()
    accounts = server.make_accounts(40 if options.quick else 200)
    replaced = server.regenerate(latency.REPLACED_KEYS)
    subjects = start_subjects(names, processes, server, directory)
    laps.end("starting servers, making accounts and keys")
    paced = latency.Paced(paced_program, directory)
    million = laps.time("a million accounts", make_million, options, server, paced, directory)
    laps.time("a million accounts", request_million, million)
    alone_in_process = in_process.InProcess(VERIFICATION)
    laps.time("in process", alone_in_process.measure_threads)
    measured = throughput.measure(subjects, rounds, seconds)
    laps.end("throughput")
    laps.time("a million accounts", request_million, million)
    laps.time("in process", alone_in_process.measure_threads)

    make_target = server.gate if "gate" in names else server.profile
    haproxy = next((subject for subject in subjects if subject.name == "haproxy"), None)
    conditions = latency.conditions(paced, server, make_target(), haproxy, replaced, accounts, options.churn)
    # Keys that are sent for the first time are measured on their own.
    paced.run(make_target(), 1, 0, f"good:{latency.GOOD_RATE}:8:{paced.tokens('first', accounts)}")
    with wakeups.cores_awake():
        samples = latency.measure(conditions, paced, processes, housekeeping, latency_rounds, latency_seconds)
    laps.end("latency at a fixed rate")
    laps.time("a million accounts", request_million, million)
    laps.time("in process", alone_in_process.measure_threads)

    # Read again: half of the accounts have other keys by now.
    accounts = server.account_keys(len(accounts))
    commands = [
        "make bench", "# which runs, among others:", start_line(server, directory),
        *(shell_line(subject, seconds) for subject in subjects), paced_line(make_target(), latency_seconds)]
    with wakeups.cores_awake():
        cold = latency.measure_cold(paced, server, make_target, accounts)
    processes.stop_all()
    laps.end("cold keys")
    laps.time("a million accounts", request_million, million)
    laps.time("in process", alone_in_process.measure_threads)
    shared = laps.time("PostgreSQL", on_postgres, options, server, accounts, paced)
    laps.time("a million accounts", request_million, million)
    return report.Results(
        date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        machine=preparation.machine(), versions=preparation.versions(server.binary, set(names)), subjects=subjects,
        rounds=measured, round_seconds=seconds, wake_ups=alone, conditions=conditions, samples=samples,
        latency_seconds=latency_seconds, housekeeping=housekeeping, cold=cold, accounts=len(accounts), shared=shared,
        verification=laps.time("in process", alone_in_process.finish),
        million=laps.time("a million accounts", finish_million, million, 3 if options.quick else 10),
        laps=laps.seconds, commands=commands)


def start_subjects(names: list[str], processes: Processes, server: Keybearer, directory: str) -> list:
    """What is measured in requests a second, in the order of NAMES."""
    gate_response = server.check_gate(server.gate()) if "gate" in names else None
    found = {
        "nginx": lambda: peers.start_nginx(processes, directory, server.key),
        "haproxy": lambda: peers.start_haproxy(processes, directory, server.key, gate_response),
        "knox": lambda: peers.start_knox(processes, directory),
        "apikey": lambda: peers.start_apikey(processes, directory),
        "gate": server.gate, "healthz": server.bare_route, "me": server.profile,
    }
    return [found[name]() for name in NAMES if name in names]


class Laps:
    """The duration of each part: the total is meant to stay below ten minutes."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self.began = time.monotonic()

    def end(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0) + now - self.began
        self.began = now

    def time(self, name: str, part, *arguments):
        value = part(*arguments)
        self.end(name)
        return value


def on_postgres(options: argparse.Namespace, server: Keybearer, accounts: list[str],
                paced: latency.Paced) -> shared_store.Measured | None:
    if "gate" not in options.names:
        print_progress("PostgreSQL: not measured, because the gate is not")
        return None
    rounds, seconds, writes_seconds = (2, 1, 2) if options.quick else (6, 2, 10)
    return shared_store.measure(server.processes, server, accounts, paced, rounds, seconds, writes_seconds)


def make_million(options: argparse.Namespace, server: Keybearer, paced: latency.Paced,
                 directory: str) -> many_accounts.Million | None:
    """A million accounts; a few in a run for trying."""
    if not os.path.exists(VERIFICATION) or "gate" not in options.names:
        print_progress("A million accounts: not measured: the program is not built, or the gate is not measured")
        return None
    count = 20_000 if options.quick else many_accounts.COUNT
    return many_accounts.Million(
        server.processes, server.binary, VERIFICATION, paced, os.path.join(directory, "million"), count)


def request_million(million: many_accounts.Million | None) -> None:
    if million:
        million.request_once()


def finish_million(million: many_accounts.Million | None, rounds: int) -> many_accounts.Measured | None:
    return million.finish(rounds) if million else None


def shell_line(subject, seconds: float) -> str:
    parts = throughput.command(subject, seconds * subject.share)
    parts = [f"{part.rpartition(' ')[0]} $KEY" if part.startswith("Authorization:") else part for part in parts]
    shown = [f'"{part}"' if " " in part else part for part in parts]
    return " ".join(shown).replace(f":{subject.port}/", f":{port_name(subject)}/")


def port_name(subject) -> str:
    """The name of a port in a command that is shown: its number was any that was free."""
    return "$PORT" if subject.name in ("healthz", "me") else f"${subject.name.upper()}_PORT"


def start_line(server: Keybearer, directory: str) -> str:
    line = " ".join([".build-release/release/keybearer", *server.command[1:]]).replace(directory, "$DIRECTORY")
    return line.replace(f"--port {server.port}", "--port $PORT").replace(f":{server.gate_port}", ":$GATE_PORT")


def paced_line(subject, seconds: float) -> str:
    good, flood = (f"{name}:{rate}:{latency.CONNECTIONS}:{name}.tokens"
                   for name, rate in (("good", latency.GOOD_RATE), ("flood", latency.FLOOD_RATE)))
    duration = f"{seconds + latency.WARMUP:g} {latency.WARMUP:g}"
    return f"paced 127.0.0.1 {port_name(subject)} {subject.path} \"$HEADERS\" {duration} {good} {flood}"


def draw(results: report.Results) -> str:
    """The two statements that the page is about."""
    ours = {"gate", "me"}
    speeds = []
    for subject in results.subjects:
        value = throughput.ratio(results.rounds, subject.name, results.base)
        speeds.append((SHORT_TITLES[subject.name], value, report.ratio_text(value), subject.name in ours))
    speeds.sort(key=lambda bar: -bar[1])
    titles = {
        "accounts": "many accounts in turn", "load": "as many valid requests as a flood",
        "forged": "flood of forged keys", "forged haproxy": "HAProxy, flood of unknown keys",
        "dead": "flood of regenerated keys", "churn": "other accounts' keys regenerated",
    }
    delays = []
    for condition in results.conditions:
        if condition.name in titles:
            value = latency.ratio(results.samples, condition.name, condition.base)
            delays.append((titles[condition.name], value, report.ratio_text(value), condition.subject.name in ours))
    base = SHORT_TITLES[results.base]
    return chart.svg([
        chart.Panel("Requests a second", f"as a ratio to: {base}. Longer is better.", speeds),
        chart.Panel("p99 of good requests beside a disturbance",
                    "as a ratio to the p99 of the same server with nothing else to do. Shorter is better.", delays,
                    (report.FLOOD_LIMIT, "twice")),
    ], "Keybearer's gate beside its peers, and its latency beside floods")


def write(results: report.Results, directory: str) -> None:
    os.makedirs(directory, exist_ok=True)
    for name, text in (("results.md", report.page(results, "gate.svg")), ("gate.svg", draw(results))):
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)
        print_progress(f"Written: {os.path.relpath(os.path.join(directory, name))}")


def main() -> None:
    options = parse(sys.argv[1:])
    try:
        needed = {"wrk", "cc"} | {name for name in ("nginx", "haproxy") if name in options.names}
        if "gate" in options.names:
            needed |= {"initdb", "openssl"}
        django = {"knox", "apikey"} & set(options.names)
        if django:
            needed.add("python3-venv")
        preparation.install_programs({name: PROGRAMS[name] for name in needed})
        if django:
            preparation.install_python_packages()
        if not options.binary:
            build()
        with tempfile.TemporaryDirectory(prefix="keybearer-bench-") as directory, Processes(directory) as processes:
            program = preparation.compile_program("paced", directory)
            results = measure(options, processes, directory, program)
        print_progress("\n" + report.page(results, "gate.svg"))
        if options.output:
            write(results, options.output)
    except Failure as failure:
        sys.exit(f"run-benchmarks: {failure}")
    except KeyboardInterrupt:
        sys.exit("run-benchmarks: interrupted; everything that it started was stopped")

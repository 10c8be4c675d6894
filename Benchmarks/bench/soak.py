"""Half of the capacity for a long time, over API, gate, dashboard, webhooks and regenerates: what grows, and what fails."""

import argparse
import contextlib
import dataclasses
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from harness.dashboard_client import DashboardClient
from harness.http_client import request
from harness.ports import free_port
from harness.programs import PROMETHEUS
from harness.waiting import Failure

from . import preparation, throughput
from .latency import Paced
from .processes import Process, Processes, print_progress
from .shared_store import Postgres
from .webhook_queue import FAST, Queue
from .webhooks import start_receiver

# Beyond this, what a process has in memory does not count as flat.
GROWTH = 1.05
SLACK = 8 * 1_024 * 1_024
FILES = 16
# Of the capacity of gate and API, each measured alone.
SHARE = 0.25
CAPACITY_SECONDS = 5
MESSAGES_A_SECOND = 5
RULES = os.path.join(preparation.ROOT, "examples", "monitoring")


@dataclasses.dataclass
class Reading:
    at: float
    resident: float
    files: float


class Metrics:
    """What the server says of itself."""

    def __init__(self, port: int):
        self.address = f"127.0.0.1:{port}"

    def read(self) -> dict[str, float]:
        values = {}
        for line in request(self.address, "/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if not line.startswith("#"):
                values[name] = float(value)
        return values


def total(values: dict[str, float], name: str, *labels: str) -> float:
    """The sum of a counter's series that have these labels, each as `name="value"`."""
    return sum(value for key, value in values.items()
               if key.partition("{")[0] == name and all(label in key for label in labels))


class Beside:
    """Something done each second beside the load. Its first failure is kept."""

    def __init__(self, name: str, step, pause: float = 1):
        self.name, self.count, self.problem = name, 0, None
        self._step, self._pause, self._ended = step, pause, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(self._pause):
            try:
                self._step()
                self.count += 1
            except Exception as problem:  # noqa: BLE001  Whatever it is, the run says it.
                self.problem = f"{self.name}: {problem!r}"
                return

    def end(self) -> None:
        self._ended.set()
        self._thread.join(30)


class Alerts:
    """A Prometheus with the rules of the examples: what fires is told."""

    def __init__(self, processes: Processes, directory: str, target: int):
        port = free_port()
        self.address, self.seen = f"127.0.0.1:{port}", set()
        with open(os.path.join(RULES, "prometheus.yml")) as file:
            configuration = file.read().replace("127.0.0.1:9464", f"127.0.0.1:{target}")
        for name, text in [("prometheus.yml", configuration),
                           ("alerts.yml", open(os.path.join(RULES, "alerts.yml")).read())]:
            with open(os.path.join(directory, name), "w") as file:
                file.write(text)
        processes.start("prometheus", [
            str(PROMETHEUS), f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address={self.address}"]).wait_for_port(port)

    def look(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            for each in request(self.address, "/api/v1/alerts").json["data"]["alerts"]:
                if each["state"] == "firing":
                    self.seen.add(each["labels"]["alertname"])


def paced(processes: Processes, name: str, program: str, subject, tokens: str, rate: int, seconds: float) -> Process:
    headers = "\n".join(f"{field}: {value}" for field, value in subject.headers.items())
    return processes.start(name, [
        program, "127.0.0.1", str(subject.port), subject.path, headers, f"{seconds}", "0", f"good:{rate}:32:{tokens}"])


def statuses(process: Process) -> dict[str, int]:
    report = json.loads(process.log.strip().splitlines()[-1])["good"]
    if report["lost"] or report["unanswered"]:
        raise Failure(f"{process.name}: {report['lost']} lost, {report['unanswered']} unanswered")
    return report["statuses"]


def soak(queue: Queue, processes: Processes, directory: str, minutes: float) -> tuple[list[str], list[str]]:
    """What is to be told, and what is wrong."""
    metrics_port = free_port()
    server = queue.server
    server.stop()
    server.options = ["--metrics-address", f"127.0.0.1:{metrics_port}"]
    server.start(serve=True)
    metrics = Metrics(metrics_port)
    gate, api = server.gate(), server.profile()
    capacity = {subject.name: throughput.run_wrk(subject, CAPACITY_SECONDS).rate for subject in (gate, api)}
    rates = {name: max(1, int(rate * SHARE)) for name, rate in capacity.items()}
    program = preparation.compile_program("paced", directory)
    tokens = Paced(program, directory).tokens("soak", [server.key])
    alerts = Alerts(processes, directory, metrics_port)
    dashboard = DashboardClient(f"http://127.0.0.1:{server.port}")
    person = dashboard.sign_up("Visitor", "visitor@example.com")
    cookie = dashboard.sign_in(person)
    others = [f"account{number}@example.com" for number in range(1, 5)]
    keys = {email: server.commands.key_of(email) for email in others}
    turns = iter(range(sys.maxsize))

    def regenerate() -> None:
        email = others[next(turns) % len(others)]
        old = keys[email]
        response = request(f"127.0.0.1:{server.port}", "/api/v1/key/regenerate", "POST",
                           {"Authorization": f"Bearer {old}", "Content-Length": "0"})
        if response.status != 200:
            raise Failure(f"regenerate: {response.status}")
        keys[email] = response.data["key"]
        for key, status in [(old, 401), (keys[email], 200)]:
            answered = dashboard.call_api(key).status
            if answered != status:
                raise Failure(f"a key after its regenerate: {answered}, not {status}")

    def look_at_pages() -> None:
        for path in ["/", "/account"]:
            status = dashboard.request("GET", path, cookie=cookie).status
            if status not in (200, 303):
                raise Failure(f"{path}: {status}")

    before = metrics.read()
    seconds = minutes * 60
    since = int(time.time() * 1000)
    beside = [Beside("regenerates", regenerate), Beside("pages", look_at_pages),
              Beside("messages", lambda: queue.put(FAST, MESSAGES_A_SECOND))]
    clients = [paced(processes, f"paced {subject.name}", program, subject, tokens, rates[subject.name], seconds)
               for subject in (gate, api)]
    readings, began = [], time.monotonic()
    while any(client.is_running for client in clients):
        time.sleep(min(10, seconds / 18))
        values = metrics.read()
        readings.append(Reading(time.monotonic() - began, values["process_resident_memory_bytes"],
                                values["process_open_fds"]))
        alerts.look()
    for each in beside:
        each.end()
    queue.wait_until_delivered(FAST, 120)
    # The last counts are taken in once a second.
    time.sleep(2)
    after = metrics.read()
    problems = [each.problem for each in beside if each.problem]
    counted = {}
    for client, surface in zip(clients, ("gate", "api")):
        answered = statuses(client)
        if set(answered) != {"200"}:
            problems.append(f"{surface}: statuses {answered}")
        counted[surface] = sum(answered.values())
    told = {surface: total(after, "keybearer_verdicts_total", f'surface="{surface}"', 'verdict="admitted"')
            - total(before, "keybearer_verdicts_total", f'surface="{surface}"', 'verdict="admitted"')
            for surface in ("gate", "api")}
    # Each regenerate is admitted itself, and so is the request with the new key.
    expected = {"gate": counted["gate"], "api": counted["api"] + 2 * beside[0].count}
    problems += [f"{surface}: the clients counted {expected[surface]:,}, the metrics {told[surface]:,.0f}"
                 for surface in expected if abs(told[surface] - expected[surface]) > 2]
    failed = total(after, "keybearer_responses_total", 'status="5xx"') - total(
        before, "keybearer_responses_total", 'status="5xx"')
    if failed:
        problems.append(f"{failed:.0f} responses of 500 and above")
    attempts = len(queue.first_attempts(FAST, since))
    if attempts != beside[2].count * MESSAGES_A_SECOND * 99 // 5:
        problems.append(f"{attempts} deliveries of {beside[2].count * MESSAGES_A_SECOND} messages")
    problems += flatness(readings, min(300, seconds / 3))
    problems += [f"the alert {name} fired" for name in sorted(alerts.seen)]
    loud = [line for line in server.process.log.splitlines() if re.search(r" (warning|error|critical) ", line)]
    problems += loud[:5]
    settled = [one for one in readings if one.at >= min(300, seconds / 3)] or readings
    lines = [
        f"{counted['gate']:,} requests at the gate ({rates['gate']:,}/s of {capacity['gate']:,.0f}/s), {counted['api']:,} to the "
        f"API ({rates['me']:,}/s of {capacity['me']:,.0f}/s), {beside[0].count} regenerates, {beside[1].count} looks at pages, "
        f"{attempts:,} deliveries",
        f"memory behind the beginning {min(one.resident for one in settled) / 1e6:.0f} to "
        f"{max(one.resident for one in settled) / 1e6:.0f} MB, files {min(one.files for one in settled):.0f} to "
        f"{max(one.files for one in settled):.0f}",
    ]
    return lines, problems


def flatness(readings: list[Reading], settling: float) -> list[str]:
    """What grew behind the beginning: the middle of the last quarter against that of the first."""
    settled = [one for one in readings if one.at >= settling]
    if len(settled) < 4:
        return ["too few readings of memory"]
    quarter = max(1, len(settled) // 4)
    problems = []
    first, last = (statistics.median(one.resident for one in part) for part in (settled[:quarter], settled[-quarter:]))
    if last > first * GROWTH + SLACK:
        problems.append(f"memory grew from {first / 1e6:.0f} to {last / 1e6:.0f} MB")
    first, last = (statistics.median(one.files for one in part) for part in (settled[:quarter], settled[-quarter:]))
    if last > first + FILES:
        problems.append(f"open files grew from {first:.0f} to {last:.0f}")
    return problems


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run-soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long, for each engine (default: 30)")
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--binary", metavar="FILE", help="this keybearer, and build none")
    return parser.parse_args()


def main() -> None:
    options = parse()
    try:
        preparation.install_programs({
            "nginx": "nginx", "wrk": "wrk", "initdb": "postgresql", "prometheus": "prometheus", "cc": "gcc"})
        binary = os.path.abspath(options.binary or os.path.join(preparation.ROOT, ".build-release/release/keybearer"))
        if not options.binary and subprocess.run(
                ["swift", "build", "-c", "release", "--product", "keybearer", "--scratch-path", ".build-release"],
                cwd=preparation.ROOT, check=False).returncode != 0:
            raise Failure("the build failed")
        problems = []
        for engine in ["sqlite", "postgresql"]:
            if options.engine not in (engine, "both"):
                continue
            with tempfile.TemporaryDirectory(prefix="keybearer-soak-") as directory, Processes(directory) as processes:
                print_progress(f"{engine}: {options.minutes:g} minutes")
                receiver = start_receiver(processes, directory)
                postgres = Postgres(processes) if engine == "postgresql" else None
                queue = Queue(processes, binary, directory, postgres)
                queue.add_webhooks(f"http://127.0.0.1:{receiver}")
                if postgres:
                    queue.move_to_postgres()
                lines, wrong = soak(queue, processes, directory, options.minutes)
                for line in lines + [f"WRONG: {each}" for each in wrong]:
                    print_progress(f"{engine}: {line}")
                problems += wrong
        if problems:
            raise Failure(f"{len(problems)} things were wrong")
    except Failure as problem:
        sys.exit(f"scripts/run-soak: {problem}")


if __name__ == "__main__":
    main()

"""The whole run of the webhooks' benchmark, on SQLite and then on PostgreSQL, in one run of one machine."""

import argparse
import asyncio
import dataclasses
import datetime
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from harness.ports import free_port
from harness.waiting import Failure

from . import preparation, throughput
from .markdown import number_text, paragraph, table
from .processes import Processes, print_progress, run
from .shared_store import Postgres
from .webhook_queue import FAST, OBJECT, SLOW, Queue

BINARY = os.path.join(preparation.ROOT, ".build-release", "release", "keybearer")
POSTS = os.path.join(preparation.BENCHMARKS, ".build", "release", "PostBenchmark")
SLOW_SECONDS = 14
# As many as the server has under way (``DeliveryRules``).
CONCURRENCY = 512
# Messages a second while the delays are measured: each goes to 20 webhooks, those of the slow one's workspace to 19.
PACE = 10

NGINX = """\
daemon off;
worker_processes 1;
error_log stderr crit;
pid {directory}/receiver.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {directory}/receiver-body;
    proxy_temp_path {directory}/receiver-proxy;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 204; }}
        location /slow {{ proxy_pass http://127.0.0.1:{slow}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


@dataclasses.dataclass
class Rates:
    """Requests a second of one round."""

    bare: float
    delivered: float


@dataclasses.dataclass
class Measured:
    engine: str
    rates: list[Rates]
    # p99 of the fast webhooks' delays in milliseconds, without and with the slow one, and how many there were.
    alone: float
    beside: float
    deliveries: int
    # The gate's requests a second, idle and while webhooks are delivered, one of each round.
    gate: list[tuple[float, float]]


class SlowReceiver:
    """Answers after 14 seconds, on a thread of its own. nginx passes on to it."""

    def __init__(self, port: int):
        self.port = port
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        await server.serve_forever()

    @staticmethod
    async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(SLOW_SECONDS)
                # The body, whatever its length is, is there by now.
                await reader.read(64 * 1024)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run-webhook-benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds of each, for trying; writes nothing")
    parser.add_argument("--binary", metavar="FILE", help="measure this keybearer, and build only the bare client")
    return parser.parse_args()


def build(options: argparse.Namespace) -> None:
    commands = [["swift", "build", "-c", "release", "--package-path", "Benchmarks", "--product", "PostBenchmark"]]
    if not options.binary:
        commands.append(
            ["swift", "build", "-c", "release", "--product", "keybearer", "--scratch-path", ".build-release"])
    for command in commands:
        if subprocess.run(command, cwd=preparation.ROOT, check=False).returncode != 0:
            raise Failure(f"`{' '.join(command)}` failed")


def start_receiver(processes: Processes, directory: str) -> int:
    port, slow, path = free_port(), free_port(), os.path.join(directory, "receiver.conf")
    SlowReceiver(slow)
    with open(path, "w") as file:
        file.write(NGINX.format(directory=directory, port=port, slow=slow))
    processes.start("receiver", ["nginx", "-c", path, "-p", directory]).wait_for_port(port)
    return port


def measure(queue: Queue, engine: str, receiver: int, options: argparse.Namespace) -> Measured:
    messages, rounds, seconds = (100, 1, 5) if options.quick else (1_000, 5, 180)
    # Posts and deliveries interleaved: 99 deliveries of each 5 messages.
    rates = []
    for number in range(rounds):
        print_progress(f"{engine}: deliveries a second, round {number + 1} of {rounds}")
        rates.append(Rates(post(receiver, messages * 20), deliver(queue, messages)))
    print_progress(f"{engine}: the gate with the queue idle and busy")
    gate = [request_gate(queue, 2 if options.quick else 8) for _ in range(rounds)]
    queue.forget()
    print_progress(f"{engine}: the fast webhooks' delays, {seconds} s without the slow one and {seconds} s with it")
    alone, _ = delays(queue, seconds)
    queue.put(SLOW, 10_000 if not options.quick else 200)
    beside, count = delays(queue, seconds)
    return Measured(engine, rates, alone, beside, count, gate)


def post(port: int, count: int) -> float:
    return float(run([POSTS, f"http://127.0.0.1:{port}/hooks", str(count), str(CONCURRENCY), OBJECT], "bare posts"))


def deliver(queue: Queue, messages: int) -> float:
    """Deliveries a second: from the first attempt's beginning to the last one's end, out of the durable queue."""
    queue.server.stop()
    since = int(time.time() * 1000)
    queue.put(FAST, messages)
    queue.server.start(serve=True)
    queue.wait_until_delivered(FAST, 300)
    # The outcome of the last one may still be on its way.
    attempts = queue.first_attempts(FAST, since)
    return len(attempts) / (max(end for _, _, end in attempts) - min(begun for _, begun, _ in attempts)) * 1000


def request_gate(queue: Queue, seconds: float) -> tuple[float, float]:
    subject = queue.server.gate()
    idle = throughput.measure_once(subject, seconds).rate
    queue.put(FAST, int(seconds * 400))
    # It has begun, and does not end before the requests do.
    time.sleep(1)
    busy = throughput.measure_once(subject, seconds).rate
    if not queue.waiting(FAST):
        raise Failure("the queue was empty before the gate was measured")
    queue.wait_until_delivered(FAST, 300)
    return idle, busy


def delays(queue: Queue, seconds: float) -> tuple[float, int]:
    """The p99 of the time from queuing to the response of the fast webhooks, in milliseconds, and of how many."""
    since = int(time.time() * 1000)
    deadline = time.monotonic() + seconds
    next_at = time.monotonic()
    while next_at < deadline:
        queue.put(FAST, PACE // 2)
        # Not in step with the server, which looks four times a second for what it was not woken for.
        next_at += random.uniform(0.3, 0.7)
        time.sleep(max(0.0, next_at - time.monotonic()))
    queue.wait_until_delivered(FAST, 120)
    spans = [end - created for created, _, end in queue.first_attempts(FAST, since)]
    return statistics.quantiles(spans, n=100)[98], len(spans)


def page(results: list[Measured], machine: list[tuple[str, str]]) -> str:
    rows = []
    for one in results:
        ratio = statistics.median(each.delivered / each.bare for each in one.rates)
        busy = statistics.median(busy / idle for idle, busy in one.gate)
        rows.append([
            one.engine, number_text(statistics.median(each.delivered for each in one.rates)),
            number_text(statistics.median(each.bare for each in one.rates)), f"{ratio:.2f}", f"{one.alone:.0f} ms",
            f"{one.beside:.0f} ms", f"{1.5 * one.alone + 50:.0f} ms", f"{busy:.2f}"])
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    return "\n".join([
        "# Results of the webhooks' benchmarks", "",
        *paragraph(
            "Generated by `make bench-webhooks`; do not edit. Compare ratios rather than absolute figures: client, "
            "server, receiver and store share one machine."),
        f"Measured on {date}.", "", *table(["machine", ""], [list(row) for row in machine]),
        *table(
            ["store", "deliveries/s", "bare posts/s", "ratio", "p99 alone", "p99 beside a slow one", "limit",
             "the gate, busy to idle"], rows),
        *paragraph(
            "**Deliveries a second**: messages of 600 bytes wait in the store; 99 webhooks in five workspaces get them. "
            "Each delivery is claimed, signed, sent, and its outcome committed. Bare posts are those of async-http-client "
            "alone with as many requests at a time, to the same nginx, which answers 204; interleaved, medians of five "
            "rounds."),
        *paragraph(
            f"**p99**: from queuing to the response, of the 99 fast webhooks, with {PACE} messages a second, 20 webhooks "
            f"each: three minutes alone, and three minutes beside one webhook that answers after {SLOW_SECONDS} s and has "
            "10,000 messages. The limit is 1.5 times the first and 50 ms. The slow one has the host of the fast ones."),
        *paragraph(
            "**The gate**: requests a second while webhooks are delivered as fast as they go, to those before it."),
    ]) + "\n"


def main() -> None:
    options = parse()
    try:
        preparation.install_programs({"nginx": "nginx", "wrk": "wrk", "initdb": "postgresql", "openssl": "openssl"})
        build(options)
        with tempfile.TemporaryDirectory(prefix="keybearer-bench-") as directory, Processes(directory) as processes:
            receiver = start_receiver(processes, directory)
            results = []
            for engine, postgres in (("SQLite", None), ("PostgreSQL", Postgres(processes))):
                place = os.path.join(directory, engine)
                os.makedirs(place)
                queue = Queue(processes, options.binary or BINARY, place, postgres)
                queue.add_webhooks(f"http://127.0.0.1:{receiver}")
                if postgres:
                    queue.move_to_postgres()
                results.append(measure(queue, engine, receiver, options))
                queue.server.stop()
        text = page(results, preparation.machine())
        print_progress("\n" + text)
        if not options.quick:
            with open(os.path.join(preparation.ROOT, "docs", "benchmarks", "webhooks.md"), "w") as file:
                file.write(text)
    except Failure as failure:
        sys.exit(f"run-webhook-benchmarks: {failure}")
    except KeyboardInterrupt:
        sys.exit("run-webhook-benchmarks: interrupted; everything that it started was stopped")

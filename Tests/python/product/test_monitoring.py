"""Metrics as an operator has them (``ServerMetrics``): a real Prometheus reads them with the configuration of examples/monitoring,
and its rules fire by the faults that they stand for, and not without."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
import ssl
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import postgres
from harness.command_line import CommandLine
from harness.http_client import request
from harness.keybearer import KeybearerServer
from harness.ports import free_port
from harness.processes import Program
from harness.programs import ENVIRONMENT, PROMETHEUS, PROMTOOL, REPOSITORY
from harness.waiting import eventually

EXAMPLES = REPOSITORY / "examples/monitoring"
# The rules of a copy look at a minute where those of the example look at several. Not at less: a reading that a busy machine
# answers too late is none, and what was counted between the last one before and the first one behind is seen only where both are
# in sight.
FASTER = [(r"for: \d+[smh]", "for: 1s"), (r"\[\d+m\]", "[1m]"), (r"age_seconds > \d+", "age_seconds > 3")]


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    done = subprocess.run(
        [PROMTOOL, *arguments], input=text, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Prometheus:
    """A Prometheus that reads one server every second."""

    def __init__(self, directory: Path, target: int, replaced: list[tuple[str, str]] = ()):
        directory.mkdir()
        configuration = (EXAMPLES / "prometheus.yml").read_text()
        for old, new in [("127.0.0.1:9464", f"127.0.0.1:{target}"), ("15s", "1s")]:
            assert old in configuration
            configuration = configuration.replace(old, new)
        (directory / "prometheus.yml").write_text(configuration)
        rules = (EXAMPLES / "alerts.yml").read_text()
        for pattern, text in replaced:
            rules, count = re.subn(pattern, text, rules)
            assert count, pattern
        (directory / "alerts.yml").write_text(rules)
        self._address = f"127.0.0.1:{free_port()}"
        self.program = Program(
            [
                str(PROMETHEUS), f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address={self._address}",
            ], directory / "prometheus.log")
        self.program.wait_until(lambda: self.value("up") == 1, "Prometheus has read the server", 40, 0.2)

    def _ask(self, path: str) -> dict:
        try:
            return request(self._address, path).json["data"]
        except (OSError, http.client.HTTPException, ValueError):
            return {}

    def value(self, query: str) -> float | None:
        found = self._ask(f"/api/v1/query?query={urllib.parse.quote(query)}").get("result")
        return float(found[0]["value"][1]) if found else None

    @property
    def firing(self) -> set[str]:
        alerts = self._ask("/api/v1/alerts").get("alerts", [])
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def await_alert(self, name: str, seconds: float = 60) -> None:
        self.program.wait_until(lambda: name in self.firing, f"{name} fires", seconds, 0.3)


def test_the_rules_say_what_they_should() -> None:
    promtool("check", "config", EXAMPLES / "prometheus.yml")
    promtool("check", "rules", EXAMPLES / "alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", EXAMPLES / "alerts-test.yml")
    board = json.loads((EXAMPLES / "board.json").read_text())
    page = (REPOSITORY / "docs/metrics.md").read_text()
    text = json.dumps(board) + (EXAMPLES / "alerts.yml").read_text()
    for name in set(re.findall(r"\b(?:keybearer|process)_[a-z_]+", text)):
        assert f"`{re.sub('_(bucket|sum|count)$', '', name)}`" in page, name


def test_prometheus_reads_what_clients_counted(server: KeybearerServer, tmp_path: Path) -> None:
    port = free_port()
    server.stop()
    server.settings += ["--metrics-address", f"127.0.0.1:{port}"]
    server.start()
    key = server.commands.create_account().key

    def status(key: str) -> int:
        return request(f"127.0.0.1:{server.port}", "/api/v1/me", headers={"Authorization": f"Bearer {key}"}).status

    assert [status(key) for _ in range(20)] == [200] * 20
    assert [status(f"tdc_{'x' * 40}") for _ in range(5)] == [401] * 5
    text = request(f"127.0.0.1:{port}", "/metrics").text
    assert promtool("check", "metrics", text=text) == ""
    assert key not in text and "tdc_" not in text
    prometheus = Prometheus(tmp_path / "prometheus", port)
    admitted = 'sum(keybearer_verdicts_total{surface="api",verdict="admitted"})'
    assert prometheus.value(admitted) == 20
    assert prometheus.value('keybearer_verdicts_total{surface="api",verdict="unauthorized"}') == 5
    assert prometheus.value('keybearer_responses_total{area="api",status="2xx"}') == 20
    assert prometheus.value("histogram_quantile(0.99, sum by (le) (keybearer_decision_seconds_bucket))") < 15
    assert prometheus.value("keybearer_sessions") == 0
    assert prometheus.value("keybearer_lease_held") == 1
    status(key)
    eventually(lambda: prometheus.value(admitted) == 21, "the next reading has it", 20, 0.2)
    assert prometheus.firing == set()
    prometheus.program.end()


class Installation:
    """A server on PostgreSQL, with all that an alert is about."""

    def __init__(self, directory: Path):
        certificate, key = directory / "cert.pem", directory / "key.pem"
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                "-out", certificate,
            ], check=True, capture_output=True)
        self.tls = ssl.create_default_context(cafile=str(certificate))
        self.database = postgres.PostgresServer().make()
        commands = CommandLine(
            f"postgres://{postgres.USER}@127.0.0.1:{self.database.port}/{postgres.DATABASE}", directory / "keybearer.keys")
        commands.create_database()
        self.metrics = free_port()
        self.server = KeybearerServer(
            commands, directory / "log.jsonl",
            [
                "--metrics-address", f"127.0.0.1:{self.metrics}", "--tls-certificate", str(certificate), "--tls-key",
                str(key), "--trusted-proxies", "127.0.0.0/8", "--webhook-allowed-networks", "127.0.0.0/8",
                "--mail-command", "/bin/false", "--mail-from", "keys@example.com", "--public-url",
                "https://localhost:8443",
            ])
        self.server.tls = self.tls
        self.server.start()
        scopes = [
            part for scope in ("users:write", "workspaces:write", "webhooks:write", "events:publish")
            for part in ("--scope", scope)
        ]
        self._token = commands.run("operator-token", "create", "product", *scopes).split()[-1]

    def call(self, method: str, path: str, body: dict) -> None:
        headers = {
            "Authorization": f"Bearer {self._token}", "Content-Type": "application/json", "X-Forwarded-Proto": "https",
        }
        response = request(
            f"127.0.0.1:{self.server.port}", f"/operator/v1{path}", method, headers, json.dumps(body), 60, self.tls)
        assert response.status < 300, response.text

    def send_forged(self, seconds_until: threading.Event) -> None:
        """Requests with keys that are none, as fast as they are answered."""
        connection = http.client.HTTPSConnection(f"127.0.0.1:{self.server.port}", timeout=15, context=self.tls)
        number = 0
        while not seconds_until.is_set():
            number += 1
            headers = {"Authorization": f"Bearer tdc_{number:040}", "X-Forwarded-Proto": "https"}
            connection.request("GET", "/api/v1/me", headers=headers)
            response = connection.getresponse()
            response.read()
            assert response.status in (401, 429, 503)
        connection.close()

    def sign_in_wrongly(self, number: int) -> int:
        body = urllib.parse.urlencode({"email": f"nobody-{number}@example.com", "password": "wrong password of mine"})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-Proto": "https",
            "X-Forwarded-For": f"203.0.{number // 200}.{number % 200 + 1}", "Sec-Fetch-Site": "same-origin",
        }
        return request(
            f"127.0.0.1:{self.server.port}", "/sign-in", "POST", headers, body, 120, self.tls).status

    def stop(self) -> None:
        self.server.kill()
        self.database.stop()


@pytest.fixture
def silence() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield listener.getsockname()[1]


def test_each_alert_fires_by_the_fault_that_it_stands_for(tmp_path: Path, silence: int) -> None:
    installation = Installation(tmp_path)
    prometheus = Prometheus(tmp_path / "prometheus", installation.metrics, FASTER)
    prometheus.await_alert("KeybearerCertificateEnds")
    assert prometheus.firing == {"KeybearerCertificateEnds"}

    installation.call("POST", "/users", {"email": "ada@example.com", "name": "Ada", "externalId": "ada", "emailVerified": False})
    installation.call("POST", "/workspaces", {"name": "Shop", "owner": "ext:ada", "externalId": "shop", "plan": "pro"})
    installation.call("PUT", "/event-types/order.paid", {"description": "An order was paid."})
    installation.call(
        "POST", "/webhooks",
        {"name": "Hooks", "url": f"http://127.0.0.1:{silence}/", "events": ["order.paid"], "workspace": "ext:shop"})

    with ThreadPoolExecutor(80) as threads:
        ended = threading.Event()
        forging = [threads.submit(installation.send_forged, ended) for _ in range(2)]
        prometheus.await_alert("KeybearerForgedKeys")
        ended.set()
        for each in forging:
            each.result()
        # Two are looked at, 62 wait, and the others are refused.
        statuses = list(threads.map(installation.sign_in_wrongly, range(160)))
        assert 503 in statuses
    prometheus.await_alert("KeybearerPasswordQueueFull")

    number = 0

    def publish() -> bool:
        nonlocal number
        events = [
            {"id": f"order-{number + n}", "type": "order.paid", "workspace": "ext:shop", "object": {}}
            for n in range(500)
        ]
        number += 500
        installation.call("POST", "/events/batch", {"events": events})
        return "KeybearerWebhooksWaiting" in prometheus.firing

    eventually(publish, "KeybearerWebhooksWaiting fires", 90, 1.5)
    # A password that somebody forgot is told by mail, and the program for that fails.
    body = urllib.parse.urlencode({"email": "operator@example.com"})
    reply = request(
        f"127.0.0.1:{installation.server.port}", "/forgot-password", "POST",
        {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-Proto": "https", "Sec-Fetch-Site": "same-origin"},
        body, 30, installation.tls)
    assert reply.status < 400, reply.text
    prometheus.await_alert("KeybearerMailsWaiting")

    key = installation.server.commands.create_account().key
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-Proto": "https"}
    installation.database.stop()

    def fails() -> bool:
        request(f"127.0.0.1:{installation.server.port}", "/api/v1/me", headers=headers, timeout=30, tls=installation.tls)
        return {"KeybearerLeaseLost", "KeybearerDatabaseFailing", "KeybearerUnavailable"} <= prometheus.firing

    eventually(fails, "the database's alerts fire", 60, 0.2)
    installation.server.kill()
    prometheus.await_alert("KeybearerDown")
    prometheus.program.end()
    installation.stop()

"""Webhooks from publishing to a receiver on a real socket (``WebhookDispatcher``, ``WebhookSender``, ``WebhookQueue``): the
official libraries believe the messages, failures are sent again, and a killed server loses none."""

from __future__ import annotations

import json
import os
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
import standardwebhooks
import svix.webhooks

from harness.http_client import Response, request
from harness.keybearer import KeybearerServer
from harness.waiting import eventually

IS_LONG = bool(os.environ.get("KEYBEARER_TEST_LONG"))
KILLS = 50 if IS_LONG else 1
MESSAGES = 1_000
# How many deliveries one process holds for one endpoint (``DeliveryRules``).
MOST_HELD = 64
# The claims of a killed process run out, the last one too.
KILLED_SECONDS = 180 + 5 * KILLS


class Message(NamedTuple):
    """A request as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """A product customer's server. It answers 204, or what a test says next."""

    def __init__(self):
        self.messages: list[Message] = []
        self.statuses: list[int] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                # A sender that is killed may leave half a request behind: no message.
                if len(body) < length:
                    self.close_connection = True
                    return
                with receiver._lock:
                    receiver.messages.append(Message({k.lower(): v for k, v in self.headers.items()}, body))
                    status = receiver.statuses.pop(0) if receiver.statuses else 204
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait_for(self, count: int, seconds: float = 30) -> list[Message]:
        """The messages, as soon as there are so many."""
        eventually(lambda: len(self.messages) >= count, f"{count} messages arrived", seconds)
        return self.messages

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


class Product:
    """The product's backend, with a workspace and a webhook of it."""

    def __init__(self, server: KeybearerServer, receiver: Receiver):
        server.stop()
        server.settings += ["--webhook-allowed-networks", "127.0.0.0/8"]
        server.start()
        scopes = [
            part for scope in ("users:write", "workspaces:write", "webhooks:write", "events:publish")
            for part in ("--scope", scope)
        ]
        self._server = server
        self._token = server.commands.run("operator-token", "create", "product", *scopes).split()[-1]
        owner = {"email": "ada@example.com", "name": "Ada", "externalId": "ada"}
        self.call("POST", "/users", owner)
        self.call("POST", "/workspaces", {"name": "Shop", "owner": "ext:ada", "externalId": "shop", "plan": "pro"})
        self.call("PUT", "/event-types/order.paid", {"description": "An order was paid."})
        webhook = {"name": "Hooks", "url": receiver.url, "events": ["order.paid"], "workspace": "ext:shop"}
        self.webhook = self.call("POST", "/webhooks", webhook).data

    def call(self, method: str, path: str, body: dict | None = None) -> Response:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        response = request(f"127.0.0.1:{self._server.port}", f"/operator/v1{path}", method, headers, text, timeout=60)
        assert response.status < 300, response.text
        return response

    def publish(self, first: int, count: int) -> None:
        events = [
            {"id": f"order-{n}", "type": "order.paid", "workspace": "ext:shop", "object": {"number": n}}
            for n in range(first, first + count)
        ]
        for start in range(0, count, 500):
            self.call("POST", "/events/batch", {"events": events[start:start + 500]})

    def delivery(self, message: str) -> dict:
        return self.call("GET", f"/webhooks/{self.webhook['id']}/deliveries/{message}").data


def believe(message: Message, secret: str) -> None:
    """Both official libraries verify a message, with its age."""
    # They raise where they do not.
    svix.webhooks.Webhook(secret).verify(message.body, message.headers)
    assert standardwebhooks.Webhook(secret).verify(message.body, message.headers)["event"] == "order.paid"


def test_the_official_libraries_believe_it_also_during_a_rotation(server: KeybearerServer, receiver: Receiver) -> None:
    product = Product(server, receiver)
    product.publish(1, 1)
    first = receiver.wait_for(1)[0]
    old = product.webhook["secret"]
    believe(first, old)
    for wrong in (first._replace(body=first.body + b" "), first._replace(headers=first.headers | {"webhook-id": "evt_0"})):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(old).verify(wrong.body, wrong.headers)
    new = product.call("POST", f"/webhooks/{product.webhook['id']}/rotate-secret", {"overlapSeconds": 3_600}).data["secret"]
    product.publish(2, 1)
    second = receiver.wait_for(2)[1]
    for secret in (old, new):
        believe(second, secret)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(new).verify(first.body, first.headers)
    assert [int(each.headers["webhook-sequence"]) for each in (first, second)] == [1, 2]


def test_a_failure_is_sent_again_byte_for_byte_with_a_signature_of_its_own(
    server: KeybearerServer, receiver: Receiver
) -> None:
    product = Product(server, receiver)
    receiver.statuses = [500]
    product.publish(1, 1)
    first, second = receiver.wait_for(2)
    assert (first.id, first.body) == (second.id, second.body)
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 4
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    believe(second, product.webhook["secret"])
    found = eventually(
        lambda: next((each for each in [product.delivery(first.id)] if each["state"] == "delivered"), None),
        "the outcome is written")
    assert [each["status"] for each in found["attempts"]] == [500, 204]
    assert found["attempts"][1]["request"]["webhook-signature"] == second.headers["webhook-signature"]
    # Sent again by hand, much later for all that the receiver knows.
    product.call("POST", f"/webhooks/{product.webhook['id']}/deliveries/{first.id}/resend")
    third = receiver.wait_for(3)[2]
    assert (third.id, third.body) == (first.id, first.body)
    believe(third, product.webhook["secret"])


@pytest.fixture
def others(server: KeybearerServer, engine: str, tmp_path: Path) -> Iterator[list[KeybearerServer]]:
    """Two more servers on the same PostgreSQL, not started yet; SQLite has none."""
    others = [
        KeybearerServer(server.commands, tmp_path / f"log-{number}.jsonl")
        for number in range(2 if engine == "PostgreSQL" else 0)
    ]
    yield others
    for other in others:
        other.stop()


def test_killed_servers_lose_nothing(
    server: KeybearerServer, others: list[KeybearerServer], receiver: Receiver
) -> None:
    """A kill at random leaves what the process held to the next one; that alone can arrive twice."""
    product = Product(server, receiver)
    for other in others:
        other.settings = server.settings
        other.start()
    chance = random.Random(7)
    for kill in range(KILLS):
        share = MESSAGES // KILLS
        seen = len(receiver.messages)
        product.publish(kill * share, share)
        # Somewhere in the middle of them.
        receiver.wait_for(seen + chance.randint(1, max(1, share // 2)), seconds=120)
        victim = chance.choice([server, *others])
        victim.kill()
        victim.start()
    eventually(
        lambda: len({each.id for each in list(receiver.messages)}) == share * KILLS, "every message arrived",
        KILLED_SECONDS)
    bodies: dict[str, list[bytes]] = defaultdict(list)
    for message in receiver.messages:
        bodies[message.id].append(message.body)
    assert all(len(set(same)) == 1 for same in bodies.values())
    twice = sum(len(same) - 1 for same in bodies.values())
    assert twice <= KILLS * MOST_HELD, f"{twice} messages arrived twice"
    numbers = {json.loads(same[0])["data"]["object"]["number"] for same in bodies.values()}
    assert numbers == set(range(share * KILLS))

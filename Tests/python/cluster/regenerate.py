"""Regenerates keys through random nodes until each outcome is known, and then sends the replaced key to all nodes."""

from __future__ import annotations

import contextlib
import random
import statistics
import threading
import time
import uuid
from collections.abc import Iterator

from cluster.client import NO_RESPONSE, Client, TimedResponse
from cluster.nodes import LEASE_WAIT_SECONDS, Cluster, Node
from cluster.trail import UNAUTHORIZED, UNAVAILABLE, Trail, Violation
from harness.accounts import Account

# What a response may take beside the wait for a lease and its transaction: reading the key, reserving a request, the
# last wait for a read of who is behind, and a machine that is busy with other things.
MARGIN_SECONDS = 1.5
_CLIENT_PATIENCE = 6.0
_RESOLVE_SECONDS = 45.0


class Regenerator:
    """Makes changes of one account, one after another, from one thread at a time."""

    def __init__(self, cluster: Cluster, account: Account, trail: Trail, seed: object, transaction: float = 0):
        """- transaction: how long the change's own transaction is made to take."""
        self._cluster = cluster
        self._email = account.email
        self._random = random.Random(f"{seed} {account.email}")
        self._patience = _CLIENT_PATIENCE + transaction
        self._clients = {node.name: Client(node.port, self._patience) for node in cluster.nodes}
        self._probes = {node.name: Client(node.port, 1) for node in cluster.nodes}
        self._bound = LEASE_WAIT_SECONDS + transaction + MARGIN_SECONDS
        self.trail = trail
        # Seconds until the response, of changes that one attempt through an undisturbed node made.
        self.times: list[float] = []
        self.late: list[str] = []
        # The node that a change is requested from at this moment.
        self.via: Node | None = None
        # Changes whose outcome was unknown at first.
        self.unknown = 0
        self.resolved_by_command = 0

    def once(self) -> None:
        """One change: requested again with the same Idempotency-Key until its outcome is known."""
        idempotency_key, old = uuid.UUID(int=self._random.getrandbits(128)).hex, self.trail.current
        is_unknown, ends = False, time.monotonic() + _RESOLVE_SECONDS
        while time.monotonic() < ends:
            node = self._choose()
            before = node.disturbances
            self.trail.change_requested(time.monotonic())
            self.via = node
            response = self._clients[node.name].regenerate(old, idempotency_key)
            self.via = None
            self._judge_time(node, before, response)
            if response.status == 200:
                if not is_unknown:
                    self.times.append(response.elapsed)
                return self._resolved(response.data["key"], response.ended, idempotency_key)
            if response.status == UNAUTHORIZED:
                if not is_unknown:
                    raise Violation(f"{node.name} refused the live key when it was to be regenerated")
                return self._resolve_by_command(idempotency_key)
            if response.status not in (UNAVAILABLE, NO_RESPONSE):
                raise Violation(f"{node.name} answered a regenerate {response.status}: {response.body[:300]!r}")
            if not is_unknown:
                self.unknown += 1
            is_unknown = True
            time.sleep(self._random.uniform(0.02, 0.2))
        raise Violation(f"a change could not be resolved in {_RESOLVE_SECONDS:g} s; the last response was {response}")

    def _choose(self) -> Node:
        """Mostly a node that can answer; at times one that is down, as a client behind a balancer meets."""
        able = [node for node in self._cluster.awake() if node.is_connected]
        return self._random.choice(able if able and self._random.random() < 0.95 else self._cluster.nodes)

    def _judge_time(self, node: Node, before: int, response: TimedResponse) -> None:
        if node.disturbances != before or not node.is_awake or response.status == UNAUTHORIZED:
            return
        if response.status == NO_RESPONSE and response.elapsed < self._patience:
            return
        if response.elapsed > self._bound:
            self.late.append(f"{node.name} answered a regenerate {response.status} after {response.elapsed:.2f} s")

    def _resolve_by_command(self, idempotency_key: str) -> None:
        """The old key was replaced and the response was lost: the command line prints the new one."""
        ends = time.monotonic() + _RESOLVE_SECONDS
        while time.monotonic() < ends:
            done = self._cluster.commands.attempt(
                "key", "regenerate", self._email, "--idempotency-key", idempotency_key)
            if done.returncode == 0:
                self.resolved_by_command += 1
                return self._resolved(done.stdout.strip(), time.monotonic(), idempotency_key)
            time.sleep(0.1)
        raise Violation(f"a change could not be resolved by the command line: {done.stderr}")

    def _resolved(self, token: str, responded_at: float, idempotency_key: str) -> None:
        old = self.trail.replaced(token, responded_at)
        for node in self._cluster.awake():
            # A node that is cut off can only let pass what is in its cache.
            if not node.is_connected and not self.trail.has_passed(old, node.name):
                continue
            self.trail.record(old, node.name, self._probes[node.name].get(old))
        if self._random.random() < 0.1:
            self._replay(token, idempotency_key)

    def _replay(self, token: str, idempotency_key: str) -> None:
        """With the new key, another node answers the same new key: there is one, not two."""
        node = self._random.choice(self._cluster.awake() or self._cluster.nodes)
        response = self._clients[node.name].regenerate(token, idempotency_key)
        if response.status == 200 and response.data["key"] != token:
            raise Violation(f"{node.name} answered a replay with another key")
        if response.status not in (200, UNAVAILABLE, NO_RESPONSE):
            raise Violation(f"{node.name} answered a replay {response.status}: {response.body[:300]!r}")

    def sweep(self) -> None:
        """At the end, when all is well: every node refuses every replaced key and passes the live one."""
        for node in self._cluster.nodes:
            client = Client(node.port)
            for token in self.trail.all_replaced():
                response = client.get(token)
                self.trail.record(token, node.name, response)
                if response.status != UNAUTHORIZED:
                    raise Violation(f"{node.name} answered a dead key {response.status}")
            response = client.get(self.trail.current)
            if response.status != 200:
                raise Violation(f"{node.name} answered the live key {response.status}: {response.body[:300]!r}")
            client.close()
        if self._cluster.commands.key_of(self._email) != self.trail.current:
            raise Violation("the database has another key than the last response")

    @property
    def median_milliseconds(self) -> float:
        return 1000 * statistics.median(self.times) if self.times else 0.0


class Background:
    """Regenerates again and again in a thread of its own."""

    def __init__(self, regenerator: Regenerator, pause: float = 0.04):
        self.regenerator = regenerator
        self._pause = pause
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="regenerate", daemon=True)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                self.regenerator.once()
        except BaseException as failure:
            self._failure = failure

    def check(self) -> None:
        """Raises what ended the thread."""
        if self._failure is not None:
            raise self._failure

    def await_changes(self, count: int, seconds: float = 60) -> None:
        """Returns when so many more changes have been answered."""
        goal, deadline = self.regenerator.trail.replaced_count + count, time.monotonic() + seconds
        while self.regenerator.trail.replaced_count < goal:
            self.check()
            if time.monotonic() > deadline:
                raise Violation(f"there were not {count} changes in {seconds:g} s")
            self._stop.wait(0.01)

    @contextlib.contextmanager
    def running(self) -> Iterator[Background]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(90)
        self.check()

"""Many clients that use up one account's rate limit over several nodes."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

from cluster.client import NO_RESPONSE, Client
from cluster.nodes import Cluster
from cluster.trail import UNAUTHORIZED, Violation


class Rush:
    """Clients that send requests again and again, also after 429: what other nodes released can be used."""

    def __init__(self, cluster: Cluster, key: str, clients: int = 20, seed: object = 0):
        self._cluster, self._key = cluster, key
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.responses: Counter[int] = Counter()
        # When a request was admitted last.
        self.admitted_at = time.monotonic()
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {number}"), number), daemon=True)
            for number in range(clients)
        ]

    @property
    def admitted(self) -> int:
        """Requests of which a client knows that they were admitted; those whose response was lost come on top."""
        return self.responses[200]

    @property
    def without_response(self) -> int:
        return self.responses[NO_RESPONSE]

    def __enter__(self) -> Rush:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        unexpected = set(self.responses) - {200, 429, 503, NO_RESPONSE}
        if unexpected:
            raise Violation(f"requests of a live key were answered {unexpected}: {dict(self.responses)}")
        if self.responses[UNAUTHORIZED]:
            raise Violation("a live key was refused")

    def await_admitted(self, count: int, seconds: float) -> bool:
        """Whether so many were admitted within the time."""
        deadline = time.monotonic() + seconds
        while self.admitted < count and time.monotonic() < deadline:
            self._stop.wait(0.02)
        return self.admitted >= count

    def continue_for(self, seconds: float) -> None:
        """Lets the clients go on, to see that no more are admitted."""
        self._stop.wait(seconds)

    def _run(self, choice: random.Random, number: int) -> None:
        clients = [Client(node.port) for node in self._cluster.nodes]
        while not self._stop.is_set():
            # Each has a node that it prefers, as with a balancer that holds connections.
            client = clients[number % len(clients)] if choice.random() < 0.8 else choice.choice(clients)
            status = client.get(self._key).status
            with self._lock:
                self.responses[status] += 1
                if status == 200:
                    self.admitted_at = time.monotonic()
            self._stop.wait(0 if status == 200 else choice.uniform(0.05, 0.2))
        for client in clients:
            client.close()

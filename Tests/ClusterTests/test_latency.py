"""A database far away: every answer takes 200 ms longer, and no request is refused for it."""

from __future__ import annotations

import collections
import random
import threading
import time
from collections.abc import Callable

from client import Client
from nodes import Node
from stage import GENEROUS, Stage

_DELAY_EACH_WAY = 0.1
_KEYS = 50
_REQUESTS_PER_KEY = 30


def ask_now_and_then(node: Node, key: str, number: int, statuses: collections.Counter) -> None:
    """Requests with waits, at the gate and at the API: some come together, some when a lease or a reservation is new."""
    waits = random.Random(number)
    is_gateway = number % 2 == 0
    client = Client(node.gate_port if is_gateway else node.port)
    for _ in range(_REQUESTS_PER_KEY):
        answer = client.ask_gate(key) if is_gateway else client.get(key)
        statuses[answer.status] += 1
        time.sleep(waits.choice([0, 0, 0.05, 0.3, 1.5]))
    client.close()


def test_a_database_200_ms_away(stage: Stage, tell: Callable[[str], None]):
    """1,500 requests to a node that has just started and knows none of the keys: all pass."""
    node = stage.cluster.nodes[0]
    keys = [stage.cluster.create_account(GENEROUS).key for _ in range(_KEYS)]
    statuses: collections.Counter = collections.Counter()
    node.stop()
    node.delay(_DELAY_EACH_WAY)
    try:
        node.start()
        began = time.monotonic()
        threads = [threading.Thread(target=ask_now_and_then, args=(node, key, number, statuses))
                   for number, key in enumerate(keys)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tell(f"200 ms to the database: {statuses.total()} requests in {time.monotonic() - began:.0f} s")
    finally:
        node.restore()
    assert statuses == {200: _KEYS * _REQUESTS_PER_KEY}

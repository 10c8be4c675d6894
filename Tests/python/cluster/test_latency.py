"""A database far away: every response takes 200 ms longer, and no request is refused for it."""

from __future__ import annotations

import collections
import random
import threading
import time
from collections.abc import Callable

from cluster.client import Client
from cluster.nodes import Cluster, Node
from cluster.stage import Stage

_DELAY_EACH_WAY = 0.1
_KEYS = 15
_STARTS = 2
_REQUESTS_PER_KEY = 20


def make_keys(cluster: Cluster) -> list[str]:
    """Accounts on the plan that new ones are on: two commands for each instead of four."""
    cluster.commands.create_plan("free", 100_000_000)
    emails = [f"far{number}@example.com" for number in range(_KEYS)]
    for email in emails:
        cluster.commands.create_user(email)
    return [cluster.commands.key_of(email) for email in emails]


def send_now_and_then(node: Node, key: str, number: int, statuses: collections.Counter) -> None:
    """Requests with waits, at the gate and the API: some come together, some when a lease or a reservation is new."""
    waits = random.Random(number)
    is_gateway = number % 2 == 0
    client = Client(node.gate_port if is_gateway else node.port)
    for _ in range(_REQUESTS_PER_KEY):
        response = client.get_gate(key) if is_gateway else client.get(key)
        statuses[response.status] += 1
        time.sleep(waits.choice([0, 0, 0.05, 0.3, 1.5]))
    client.close()


def test_a_database_200_ms_away(stage: Stage, report: Callable[[str], None]):
    """600 requests to a node that has just started and knows none of the keys: all pass."""
    node, keys = stage.cluster.nodes[0], make_keys(stage.cluster)
    statuses: collections.Counter = collections.Counter()
    node.delay(_DELAY_EACH_WAY)
    try:
        for _ in range(_STARTS):
            node.stop()
            node.start()
            threads = [threading.Thread(target=send_now_and_then, args=(node, key, number, statuses))
                       for number, key in enumerate(keys)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        node.restore()
    report(f"200 ms to the database: {dict(statuses)}")
    assert statuses == {200: _KEYS * _STARTS * _REQUESTS_PER_KEY}

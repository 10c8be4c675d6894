"""The database is gone: memory is believed for one lease, then nothing passes; when it is back, nothing is lost."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable

from cluster.client import Client, TimedResponse
from cluster.nodes import LEASE_SECONDS, Node
from cluster.stage import Stage
from harness.waiting import eventually


def send_until(node: Node, key: str, ends: float) -> list[TimedResponse]:
    client, responses = Client(node.port), []
    while time.monotonic() < ends:
        responses.append(client.get(key))
        time.sleep(0.01)
    client.close()
    return responses


def last_use(stage: Stage, email: str) -> float:
    """When the key was used last, as the database has it; seconds since the epoch."""
    stored = stage.cluster.commands.show(email)["key"].get("lastUsedAt")
    return datetime.datetime.fromisoformat(stored).timestamp() if stored else 0.0


def test_the_database_is_gone(stage: Stage, report: Callable[[str], None]):
    """Warm keys pass for one lease and no longer, then 503 and never 401; the last use is not lost."""
    account, server, node = stage.account, stage.pair.primary, stage.cluster.nodes[0]
    key = stage.current(account)
    stage.warm_up(key)
    used_at = time.time()
    server.kill()
    began = time.monotonic()
    responses = send_until(node, key, began + LEASE_SECONDS + 1)
    assert {response.status for response in responses} <= {200, 503}
    passed = [response.started - began for response in responses if response.status == 200]
    assert passed and max(passed) <= LEASE_SECONDS
    assert responses[-1].status == 503
    for each in stage.cluster.nodes:
        assert Client(each.port).get(key).status == 503
    server.start()
    back = time.monotonic()
    expect_at_last(stage, key, 200)
    report(f"outage: keys passed for {max(passed):.2f} s after the database was gone, and again "
         f"{time.monotonic() - back:.2f} s after it was back")
    eventually(lambda: last_use(stage, account.email) >= used_at - 0.001, "the last use is written down")
    assert stage.current(account) == key


def test_what_was_acknowledged_survives(stage: Stage):
    """The database crashes right after each response: the change is there when it comes back."""
    account, server = stage.account, stage.pair.primary
    key = stage.current(account)
    for number, node in enumerate(stage.cluster.nodes):
        response = Client(node.port).regenerate(key, f"survives-{number}-{time.monotonic_ns()}")
        server.kill()
        assert response.status == 200
        server.start()
        key, old = response.data["key"], key
        expect_at_last(stage, key, 200)
        expect_at_last(stage, old, 401)


def expect_at_last(stage: Stage, key: str, wanted: int) -> None:
    """All nodes come to this answer; until then they only respond that they cannot decide."""
    statuses: set[int] = set()

    def is_expected() -> bool:
        got = [Client(node.port).get(key).status for node in stage.cluster.nodes]
        statuses.update(got)
        return set(got) == {wanted}

    eventually(is_expected, f"{wanted} from all nodes")
    assert statuses <= {wanted, 503}


def count_log_lines(node: Node, words: str) -> int:
    """How many lines of a node's log say this."""
    return sum(words in line for line in node.log.splitlines())


def test_an_outage_is_logged_once_and_leaves_no_ghost(stage: Stage):
    """One line that the database is out of reach, one that it is back; the node is registered once again."""
    server, node = stage.pair.primary, stage.cluster.nodes[0]
    gone, back = count_log_lines(node, "The database is out of reach"), count_log_lines(node, "The database is back")
    server.kill()
    eventually(lambda: count_log_lines(node, "The database is out of reach") == gone + 1, "the outage is in the log")
    assert Client(node.gate_port).get_gate(stage.account.key).status in (401, 503)
    time.sleep(LEASE_SECONDS)
    server.start()
    stage.cluster.await_ready()
    eventually(lambda: count_log_lines(node, "The database is back") == back + 1, "that it is back is in the log")
    eventually(lambda: len(stage.cluster.registered()) == len(stage.cluster.nodes), "each node is registered once")
    assert count_log_lines(node, "The database is out of reach") == gone + 1


def test_a_node_that_starts_first_waits(stage: Stage):
    """The database is not up when the node starts: it waits, says so, and serves when the database is there."""
    server, node = stage.pair.primary, stage.cluster.nodes[2]
    node.stop()
    server.kill()
    starting = threading.Thread(target=node.start)
    starting.start()
    eventually(lambda: count_log_lines(node, "Waiting for the database") == 1, "it waits")
    server.start()
    starting.join()
    assert node.is_ready()
    assert count_log_lines(node, "The database is there") == 1

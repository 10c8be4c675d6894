"""An asynchronous standby is promoted without the last change. That cannot be prevented, only reported and survived."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cluster.client import Client
from cluster.nodes import Cluster
from cluster.postgres_pair import Pair
from cluster.proxy import Proxy
from harness.command_line import OPERATOR
from harness.waiting import eventually


class Installation:
    """Two nodes on a primary whose standby follows through a network that can be cut."""

    def __init__(self) -> None:
        self.pair = Pair(is_synchronous=False)
        self.link = Proxy(self.pair.primary.port)
        self.cluster = Cluster(self.pair.servers, count=2)
        self.account = self.cluster.commands.account(OPERATOR, "pro")
        self.pair.attach_standby(through=self.link.port)
        self.cluster.start()

    def statuses(self, key: str) -> set[int]:
        return {Client(node.port).get(key).status for node in self.cluster.nodes}

    def close(self) -> None:
        self.cluster.close()
        self.pair.close()
        self.link.close()


@pytest.fixture
def installation() -> Iterator[Installation]:
    installation = Installation()
    yield installation
    installation.close()


def replication(cluster: Cluster) -> dict:
    findings = json.loads(cluster.commands.attempt("doctor", "--json").stdout)
    return next(finding for finding in findings if "asynchronous" in json.dumps(finding))


def test_promotion_loses_a_change(installation: Installation):
    """`doctor` warned; nodes notice that their last change is missing and empty their caches; later changes hold."""
    cluster, pair, old = installation.cluster, installation.pair, installation.account.key
    assert "warning" in replication(cluster).values()
    caught_up = "SELECT pg_last_wal_replay_lsn() >= '{}'::pg_lsn"
    written = pair.primary.sql("SELECT pg_current_wal_lsn()")
    eventually(lambda: pair.standby.sql(caught_up.format(written)) == "t", "the standby has all so far")
    assert installation.statuses(old) == {200}
    before = cluster.registered()
    assert len(before) == 2
    installation.link.cut()
    lost = Client(cluster.nodes[0].port).regenerate(old, "lost").data["key"]
    assert installation.statuses(lost) == {200}
    assert installation.statuses(old) == {401}
    pair.fail_over(is_crash=True)
    # The old key has come back with the old state: nodes that had the new one in their caches have removed it.
    eventually(lambda: installation.statuses(old) == {200}, "the nodes see what the standby has")
    assert installation.statuses(lost) == {401}
    assert cluster.registered().isdisjoint(before)
    response = Client(cluster.nodes[1].port).regenerate(old, "holds")
    assert response.status == 200
    assert installation.statuses(old) == {401}
    assert installation.statuses(response.data["key"]) == {200}

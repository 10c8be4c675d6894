"""`/readyz` (``Probes``) distinguishes a database that is out of reach from a lease that is lost."""

from __future__ import annotations

from cluster.client import Client
from cluster.stage import Stage
from harness.waiting import eventually


def test_the_lease_is_lost(stage: Stage):
    """The database answers, but renewals do not arrive."""
    node = stage.cluster.nodes[0]
    node.cut("keybearer fence")
    try:
        eventually(lambda: node.readiness() == "lease_lost", "lease_lost")
        assert Client(node.port).get(stage.current(stage.account)).status == 503
        assert stage.cluster.nodes[1].readiness() == "ready"
    finally:
        node.restore()
    eventually(node.is_ready, "ready again")


def test_the_database_is_unreachable(stage: Stage):
    """The node is cut off; the others go on."""
    node = stage.cluster.nodes[1]
    node.cut()
    try:
        eventually(lambda: node.readiness() == "store_unreachable", "store_unreachable")
        assert stage.cluster.nodes[2].readiness() == "ready"
    finally:
        node.restore()
    eventually(node.is_ready, "ready again")

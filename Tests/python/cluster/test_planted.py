"""The checks can fail: each of them meets what it is there to find."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import pytest

from cluster import faults
from cluster.nodes import LEASE_SECONDS
from cluster.rate_limit import Rush
from cluster.stage import Stage
from cluster.trail import Violation
from harness.waiting import eventually

LIMIT = 200


@contextlib.contextmanager
def trigger(stage: Stage, event: str, body: str) -> Iterator[None]:
    """Has the database do something else than the nodes requested, until the block ends."""
    stage.pair.primary.sql(
        f"CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;"
        f"CREATE TRIGGER planted BEFORE {event} FOR EACH ROW EXECUTE FUNCTION planted()")
    try:
        yield
    finally:
        # What nodes registered meanwhile is untrue as well, and would stay: a lease is written at registration alone.
        stage.pair.primary.sql("DROP FUNCTION planted CASCADE; DELETE FROM nodes")
        eventually(lambda: registered(stage) == len(stage.cluster.nodes), "all nodes registered again")


def registered(stage: Stage) -> int:
    """How many nodes the database knows with the lease that they have."""
    return int(stage.pair.primary.sql(f"SELECT count(*) FROM nodes WHERE lease_ms = {1000 * LEASE_SECONDS:.0f}"))


def test_a_response_taken_for_earlier(stage: Stage):
    """As if nodes responded before the old key was rejected everywhere."""
    with pytest.raises(Violation, match="after the response that said it was replaced"):
        with stage.under_load("earlier", head_start=0.2) as world:
            world.background.await_changes(10)


def test_nobody_is_waited_for(stage: Stage):
    """Every node seems to have acknowledged all changes there will ever be, so no change waits for any."""
    with trigger(stage, "INSERT OR UPDATE ON nodes", "NEW.acknowledged := 1::bigint << 60; RETURN NEW;"):
        with pytest.raises(Violation, match="after the response that said it was replaced"):
            with stage.under_load("nobody") as world:
                world.background.await_changes(1)
                faults.cut_a_node(world, random.Random("nobody"))


def test_leases_seem_shorter(stage: Stage):
    """A node that is cut off believes its memory for longer than others wait for it."""
    with trigger(stage, "INSERT OR UPDATE ON nodes", "NEW.lease_ms := 500; RETURN NEW;"):
        with pytest.raises(Violation, match="after the response that said it was replaced"):
            with stage.under_load("shorter") as world:
                # It shows only where the node that is cut off had the key in its cache.
                for _ in range(3):
                    world.background.await_changes(1)
                    faults.cut_a_node(world, random.Random("shorter"))


def test_a_change_is_not_recorded(stage: Stage):
    """A replay finds nothing of the change before it, so that it makes a second one."""
    with trigger(stage, "INSERT ON idempotent_requests", "RETURN NULL;"):
        with pytest.raises(Violation, match="another key|could not be resolved|another key than"):
            with stage.under_load("forgotten") as world:
                for _ in range(3):
                    faults.lose_a_commit(world, random.Random("forgotten"))
                world.background.await_changes(20)


def test_reservations_are_not_recorded(stage: Stage):
    """The windows are not written, so each node finds all of them unused."""
    stage.cluster.commands.create_plan("small", LIMIT)
    key = stage.cluster.commands.create_account("small").key
    with trigger(stage, "UPDATE ON budgets", "RETURN NULL;"):
        with Rush(stage.cluster, key) as rush:
            assert rush.await_admitted(LIMIT + 1, 30)

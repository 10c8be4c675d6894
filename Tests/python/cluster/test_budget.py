"""Never more than the limit in any 60 minutes, over all nodes together; and all of it can be used."""

from __future__ import annotations

import random
from collections.abc import Callable

from cluster.budget import Rush
from cluster.nodes import Account
from cluster.stage import Stage

LIMIT = 1_000


def account(stage: Stage) -> Account:
    """Somebody whose hour is unused."""
    stage.cluster.create_plan("pro", LIMIT)
    return stage.cluster.create_account("pro")


def test_exactly_the_limit(stage: Stage, tell: Callable[[str], None]):
    """What one node reserved and another could use comes back: the last request is admitted too."""
    key = account(stage).key
    with Rush(stage.cluster, key) as rush:
        rush.await_admitted(LIMIT, 40)
        rush.go_on(2)
    tell(f"budget: {rush.admitted} of {LIMIT} admitted; answers: {dict(rush.answers)}")
    assert rush.admitted + rush.unanswered >= LIMIT
    assert rush.admitted == LIMIT


def test_never_more_when_nodes_crash(stage: Stage, tell: Callable[[str], None]):
    """A crash loses what the node had reserved; it never makes more."""
    key, choice = account(stage).key, random.Random(7)
    with Rush(stage.cluster, key, seed=7) as rush:
        for part in (0.2, 0.5, 0.8):
            rush.await_admitted(int(LIMIT * part), 10)
            node = choice.choice(stage.cluster.nodes)
            node.kill()
            node.start()
        rush.await_admitted(LIMIT, 3)
        rush.go_on(1)
    tell(f"budget with crashes: {rush.admitted} of {LIMIT} admitted, and at most {rush.unanswered} more without an "
         "answer")
    assert 0 < rush.admitted <= LIMIT

"""Never more than the limit in any 60 minutes, over all nodes together; and all of it can be used."""

from __future__ import annotations

import random
from collections.abc import Callable

from cluster.rate_limit import Rush
from cluster.stage import Stage
from harness.accounts import Account
from harness.waiting import eventually

LIMIT = 1_000


def account(stage: Stage) -> Account:
    """Somebody whose rate limit is unused."""
    stage.cluster.commands.create_plan("pro", LIMIT)
    return stage.cluster.commands.create_account("pro")


def usage(stage: Stage, person: Account) -> tuple[int, int]:
    """How many requests the nodes have counted: admitted, and refused by the rate limit."""
    total = stage.cluster.commands.json("usage", "show", person.email, "--range", "24h")["total"]
    return total["admitted"], total["rateLimited"]


def test_exactly_the_limit(stage: Stage, report: Callable[[str], None]):
    """What one node reserved and another could use comes back: the last request is admitted too."""
    person = account(stage)
    with Rush(stage.cluster, person.key) as rush:
        rush.await_admitted(LIMIT, 40)
        rush.continue_for(2)
    report(f"rate limit: {rush.admitted} of {LIMIT} admitted; responses: {dict(rush.responses)}")
    assert rush.admitted + rush.without_response >= LIMIT
    assert rush.admitted == LIMIT
    # The usage of all nodes together is what the clients counted, refused requests too.
    counted = (rush.responses[200], rush.responses[429])
    eventually(lambda: usage(stage, person) == counted, f"the usage is that of the clients, {counted}", 15)


def test_never_more_when_nodes_crash(stage: Stage, report: Callable[[str], None]):
    """A crash loses what the node had reserved; it never makes more."""
    person, choice = account(stage), random.Random(7)
    with Rush(stage.cluster, person.key, seed=7) as rush:
        for part in (0.2, 0.5, 0.8):
            rush.await_admitted(int(LIMIT * part), 10)
            node = choice.choice(stage.cluster.nodes)
            node.kill()
            node.start()
        rush.await_admitted(LIMIT, 3)
        rush.continue_for(1)
    report(f"rate limit with crashes: {rush.admitted} of {LIMIT} admitted, and at most {rush.without_response} more "
           "without a response")
    assert 0 < rush.admitted <= LIMIT
    # A crash loses counts of its last moment, and makes none up.
    assert 0 < usage(stage, person)[0] <= rush.admitted + rush.without_response

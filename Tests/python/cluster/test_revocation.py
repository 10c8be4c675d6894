"""When the response to a regenerate arrives, no node accepts the old key."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from cluster import faults
from cluster.stage import Stage

SEED = 20260
CHANGES = 60


def test_under_load(stage: Stage, report: Callable[[str], None]):
    """Through random nodes, one change after another, while all nodes get requests with old keys and new ones."""
    with stage.under_load(SEED) as world:
        world.background.await_changes(CHANGES)
    regenerator = world.background.regenerator
    report(f"{world.trail.replaced_count} changes, answered in {regenerator.median_milliseconds:.1f} ms in the median; "
         f"responses: {world.trail.responses}")


@pytest.mark.parametrize("fault", faults.ALL, ids=lambda fault: fault.__name__)
def test_under_a_fault(stage: Stage, fault: faults.Fault, report: Callable[[str], None]):
    """The same while something breaks."""
    with stage.under_load(f"{SEED} {fault.__name__}") as world:
        world.background.await_changes(1)
        fault(world, random.Random(f"{SEED} {fault.__name__}"))
    regenerator = world.background.regenerator
    report(f"{fault.__name__}: {world.trail.replaced_count} changes, {regenerator.unknown} unknown at first, "
         f"{regenerator.resolved_by_command} resolved by the command line; late: {regenerator.late or 'none'}; "
         f"responses: {world.trail.responses}")

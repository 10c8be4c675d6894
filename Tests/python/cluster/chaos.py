"""The long run: random faults on real nodes, under load, for a given time.

    scripts/run-chaos --seed 1 --minutes 10 --binary .build/release/keybearer

The seed chooses the faults and what they do; what the machine does in between differs from run to run. It ends with a
summary, and with 1 when a guarantee did not hold.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import secrets
import sys
import time
import traceback
from collections import Counter

from cluster import faults
from cluster.client import Client
from cluster.faults import World
from cluster.nodes import Cluster
from cluster.rate_limit import Rush
from cluster.stage import Stage
from cluster.trail import Violation
from harness.waiting import eventually

# A change with nothing in its way, in the median.
MEDIAN_MILLISECONDS = 50.0
# From the moment that the database takes connections, or the network passes, until all nodes decide.
RECOVERY_SECONDS = 5.0
# Last uses are written once a second; the rest is for the writing and a busy machine.
LAST_USE_SECONDS = 2.5
PLAIN_CHANGES = 500
LIMIT = 1_000


class Run:
    """One run: its parts follow one another, and what goes wrong is recorded while the rest goes on."""

    def __init__(self, seed: int, minutes: float):
        self._seed = seed
        self._choice = random.Random(seed)
        self._ends = time.monotonic() + 60 * minutes
        self._minutes = minutes
        self.problems: list[str] = []
        self.faults: Counter[str] = Counter()
        self.changes = 0

    def perform(self) -> None:
        stage = Stage()
        try:
            self._part("changes without faults", lambda: self._plain(stage))
            self._part("a rate limit used up", lambda: self._rate_limit(stage))
            round_number = 0
            while self._left > 30:
                round_number += 1
                self._part(f"round {round_number}", lambda: self._faults(stage, round_number))
                if self._left > 30:
                    self._part("a rate limit used up while nodes crash", lambda: self._rate_limit_with_crashes(stage))
                    self._part("last uses after a crash of all", lambda: self._last_use(stage))
        finally:
            stage.close()

    @property
    def _left(self) -> float:
        return self._ends - time.monotonic()

    def _part(self, name: str, body) -> None:
        began = time.monotonic()
        try:
            body()
        except Exception as problem:
            if not isinstance(problem, AssertionError):
                traceback.print_exc()
            self.problems.append(f"{name}: {problem}")
            say(f"  VIOLATION {problem}")
        say(f"{name}: {time.monotonic() - began:.0f} s, {max(0.0, self._left):.0f} s left")

    def _plain(self, stage: Stage) -> None:
        with stage.under_load(self._seed, is_short=False) as world:
            deadline = time.monotonic() + min(120.0, 0.4 * 60 * self._minutes)
            while world.trail.replaced_count < PLAIN_CHANGES and time.monotonic() < deadline:
                world.background.await_changes(1)
        median = world.background.regenerator.median_milliseconds
        say(f"  {world.trail.replaced_count} changes, {median:.1f} ms in the median; responses {world.trail.responses}")
        self._judge(world)
        if median >= MEDIAN_MILLISECONDS:
            raise Violation(f"the median change took {median:.1f} ms, not less than {MEDIAN_MILLISECONDS:g}")

    def _faults(self, stage: Stage, number: int) -> None:
        """Each fault once, in an order of its own, as far as time allows."""
        order = self._choice.sample(faults.ALL, len(faults.ALL))
        seeds = [self._choice.getrandbits(32) for _ in order]
        with stage.under_load(f"{self._seed} {number}", is_short=False) as world:
            for fault, seed in zip(order, seeds):
                if self._left < 25:
                    break
                self.faults[fault.__name__] += 1
                began, before = time.monotonic(), world.trail.replaced_count
                fault(world, random.Random(seed))
                say(f"  {fault.__name__}: {time.monotonic() - began:.1f} s, "
                    f"{world.trail.replaced_count - before} changes")
        say(f"  responses {world.trail.responses}; {world.background.regenerator.unknown} changes unknown at first, "
            f"{world.background.regenerator.resolved_by_command} resolved by the command line")
        self._judge(world)

    def _judge(self, world: World) -> None:
        self.changes += world.trail.replaced_count + world.slow.trail.replaced_count
        late = world.background.regenerator.late + world.slow.late
        late += [f"recovery took {each:.1f} s" for each in world.recoveries if each > RECOVERY_SECONDS]
        if late:
            raise Violation("; ".join(late[:10]))

    def _rate_limit(self, stage: Stage) -> None:
        key = self._new_key(stage.cluster)
        with Rush(stage.cluster, key, seed=self._seed) as rush:
            rush.await_admitted(LIMIT, 60)
            rush.continue_for(5)
        say(f"  {rush.admitted} of {LIMIT} admitted; responses {dict(rush.responses)}")
        if not rush.admitted <= LIMIT <= rush.admitted + rush.without_response:
            raise Violation(f"{rush.admitted} of {LIMIT} were admitted")

    def _rate_limit_with_crashes(self, stage: Stage) -> None:
        key = self._new_key(stage.cluster)
        with Rush(stage.cluster, key, seed=self._choice.random()) as rush:
            for _ in range(self._choice.randint(2, 5)):
                rush.continue_for(self._choice.uniform(0.05, 0.6))
                node = self._choice.choice(stage.cluster.nodes)
                node.kill()
                rush.continue_for(self._choice.uniform(0, 1))
                node.start()
            rush.continue_for(5)
        say(f"  {rush.admitted} of {LIMIT} admitted; responses {dict(rush.responses)}")
        if rush.admitted > LIMIT:
            raise Violation(f"{rush.admitted} of {LIMIT} were admitted")

    @staticmethod
    def _new_key(cluster: Cluster) -> str:
        cluster.commands.create_plan("pro", LIMIT)
        return cluster.commands.create_account("pro").key

    def _last_use(self, stage: Stage) -> None:
        """Nodes and database crash together: of the last uses, about a second is lost."""
        key, used = stage.current(stage.account), 0.0
        client = Client(stage.cluster.nodes[0].port)
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            at = time.time()
            used = at if client.get(key).status == 200 else used
            time.sleep(0.01)
        for node in stage.cluster.nodes:
            node.kill()
        stage.pair.primary.kill()
        stage.pair.primary.start()
        stored = datetime.datetime.fromisoformat(stage.cluster.commands.show(stage.account.email)["key"]["lastUsedAt"])
        for node in stage.cluster.nodes:
            node.start()
        missing = used - stored.timestamp()
        say(f"  the last use is {missing:.2f} s older than the last request that passed")
        if missing > LAST_USE_SECONDS:
            raise Violation(f"{missing:.2f} s of last uses were lost")
        eventually(lambda: client.get(key).status == 200, "the key passes again")


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=secrets.randbits(31), help="what chooses the faults")
    parser.add_argument("--minutes", type=float, default=10, help="for about how long")
    parser.add_argument("--binary", help="the server; without it KEYBEARER_BINARY, or the debug build")
    options = parser.parse_args()
    if options.binary:
        os.environ["KEYBEARER_BINARY"] = options.binary
    say(f"seed {options.seed}, {options.minutes:g} minutes")
    run = Run(options.seed, options.minutes)
    try:
        run.perform()
    except Exception as problem:
        traceback.print_exc()
        run.problems.append(f"the run ended early: {problem}")
    say(f"\nseed {options.seed}: {run.changes} changes, faults {dict(run.faults)}")
    for problem in run.problems:
        say(f"VIOLATION {problem}")
    say("no guarantee was violated" if not run.problems else f"{len(run.problems)} parts failed")
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())

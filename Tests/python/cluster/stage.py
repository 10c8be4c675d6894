"""What both the short tests and the long run begin with: a pair of databases, nodes, accounts, and load on them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cluster.client import Client
from cluster.faults import SLOW_SECONDS, World, slow_down
from cluster.load import Load
from cluster.nodes import Cluster
from cluster.postgres_pair import Pair
from cluster.regenerate import Background, Regenerator
from cluster.trail import Trail
from harness.accounts import Account
from harness.command_line import OPERATOR

# More requests than any run needs.
GENEROUS = "generous"


class Stage:
    """Three nodes on a primary with a synchronous standby, and two accounts: one is changed often, one slowly."""

    def __init__(self) -> None:
        self.pair = Pair()
        try:
            self.cluster = Cluster(self.pair.servers)
            self.cluster.commands.create_plan(GENEROUS, 100_000_000)
            self.account = self.cluster.commands.account(OPERATOR, GENEROUS)
            self.slow_account = self.cluster.commands.create_account(GENEROUS)
            slow_down(self.pair, self.slow_account.id)
            self.pair.attach_standby()
            self.cluster.start()
        except BaseException:
            self.pair.close()
            raise

    def close(self) -> None:
        self.cluster.close()
        self.pair.close()

    def repair(self) -> None:
        """Makes whole what a test that failed left broken."""
        if not self.pair.primary.is_running:
            self.pair.primary.start()
        if not self.pair.standby.is_running:
            self.pair.attach_standby()
        if not all(node.is_running and node.is_ready() for node in self.cluster.nodes):
            for node in self.cluster.nodes:
                node.repair()
            self.cluster.await_ready()

    def current(self, account: Account) -> str:
        """The account's key as it is now."""
        return self.cluster.commands.key_of(account.email)

    def trail(self, account: Account, head_start: float = 0) -> Trail:
        return Trail(self.current(account), head_start)

    def warm_up(self, key: str) -> None:
        """Uses a key so often that all nodes know it and hold enough reserved to let it pass for seconds, alone."""
        for node in self.cluster.nodes:
            Client(node.gate_port).use_often(key, 1_400)

    @contextlib.contextmanager
    def under_load(self, seed: object, is_short: bool = True, head_start: float = 0) -> Iterator[World]:
        """Load on all nodes and one change after another, until the block ends; then all is judged."""
        trail, slow_trail = self.trail(self.account, head_start), self.trail(self.slow_account)
        background = Background(Regenerator(self.cluster, self.account, trail, seed))
        slow = Regenerator(self.cluster, self.slow_account, slow_trail, seed, SLOW_SECONDS)
        self.warm_up(trail.current)
        world = World(self.cluster, self.pair, trail, background, slow, is_short)
        with Load(self.cluster, [trail, trail, slow_trail], seed), background.running():
            yield world
        for each, regenerator in ((trail, background.regenerator), (slow_trail, slow)):
            self.cluster.await_ready()
            regenerator.sweep()
            each.check()

"""What goes wrong while keys are regenerated and used. Each fault begins, lasts, and is over when it returns.

Nothing here says what must hold: the trails do, to which every response is reported meanwhile.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cluster.client import Client
from cluster.nodes import LEASE_SECONDS, Cluster, Node
from cluster.postgres_pair import Pair
from cluster.regenerate import Background, Regenerator
from cluster.trail import UNAUTHORIZED, Trail, Violation
from harness.waiting import eventually

# Holds up changes of one account inside their transaction; its last uses are not held up.
SLOW_SECONDS = 2.0


@dataclass
class World:
    """All that a fault may touch."""

    cluster: Cluster
    pair: Pair
    trail: Trail
    background: Background
    slow: Regenerator
    # Whether faults last as short as they sensibly can.
    is_short: bool = True
    recoveries: list[float] = field(default_factory=list)

    def disturb_all(self) -> None:
        """Responses of all nodes may take longer, as their database is touched."""
        for node in self.cluster.nodes:
            node.disturbances += 1

    def choose_node(self, choice: random.Random) -> Node:
        """A node to break: mostly when it has the current key in its cache and no change is requested through it, so that
        the next change goes through another node immediately."""
        node = choice.choice(self.cluster.nodes)
        if choice.random() < 0.8:
            eventually(lambda: self._is_deceivable(node), f"{node.name} remembers a key while another is asked")
        return node

    def _is_deceivable(self, node: Node) -> bool:
        self.background.check()
        return self.background.regenerator.via is not node and self.trail.has_passed(self.trail.current, node.name)

    def expect_silence(self, node: Node, since: float) -> None:
        """Nothing passed on the node that started later than one lease after it last had its database."""
        beyond = self.trail.last_passed(node.name) - since - LEASE_SECONDS
        if beyond > 0:
            raise Violation(f"{node.name} passed a request that started {beyond:.3f} s after its lease had ended")

    def await_recovery(self) -> None:
        """All nodes decide again; records how long that took."""
        began = time.monotonic()
        eventually(lambda: all(self._decides(node) for node in self.cluster.nodes), "all nodes decide again")
        self.recoveries.append(time.monotonic() - began)
        self.disturb_all()

    def _decides(self, node: Node) -> bool:
        client = Client(node.port)
        status = client.get(self.trail.current).status
        client.close()
        # The key may have been replaced in between.
        return status in (200, UNAUTHORIZED) and node.is_ready()


def _wait(choice: random.Random, least: float, most: float) -> None:
    time.sleep(choice.uniform(least, most))


def kill_a_node(world: World, choice: random.Random) -> None:
    """A node crashes and is started again: one change waits one lease for it."""
    node = world.choose_node(choice)
    node.kill()
    world.background.await_changes(2)
    if not world.is_short:
        _wait(choice, 0, 3)
    node.start()


def suspend_a_node(world: World, choice: random.Random) -> None:
    """A node stands still while keys are replaced; requests that wait at its door are decided when it goes on."""
    node = world.choose_node(choice)
    span = choice.uniform(LEASE_SECONDS + 0.6, 3.2) if world.is_short else choice.uniform(1, 10)
    ends = time.monotonic() + span
    node.suspend()
    try:
        if span > LEASE_SECONDS + 0.5:
            # It is waited for once; then changes go on without it.
            world.background.await_changes(1)
        time.sleep(max(0.0, ends - time.monotonic() - 0.3))
        waiting = [(Client(node.port), token) for token in world.trail.recently_replaced() + [world.trail.current]]
        for client, token in waiting:
            client.begin("GET", "/api/v1/key", token)
        time.sleep(max(0.0, ends - time.monotonic()))
    finally:
        node.resume()
    for client, token in waiting:
        world.trail.record(token, node.name, client.finish())
        client.close()
    world.background.await_changes(2)


def cut_a_node(world: World, choice: random.Random) -> None:
    """The network between a node and the database is silent, then delivers late what it held back."""
    node = world.choose_node(choice)
    node.cut()
    began = time.monotonic()
    try:
        _wait(choice, LEASE_SECONDS + 0.5, 3 if world.is_short else 7)
        world.expect_silence(node, began)
    finally:
        node.restore()
    if choice.random() < 0.5:
        for proxy in node.proxies:
            proxy.reset()
    world.await_recovery()
    world.background.await_changes(2)


def lose_notifications(world: World, choice: random.Random) -> None:
    """The connections that notifications arrive on are ended again and again: nodes do not depend on them."""
    names = choice.choice([("keybearer listen",), ("keybearer listen", "keybearer fence"),
                           ("keybearer listen", "keybearer fence", "keybearer")])
    listed = ",".join(f"'{name}'" for name in names)
    world.disturb_all()
    ends = time.monotonic() + (1.5 if world.is_short else choice.uniform(2, 6))
    while time.monotonic() < ends:
        world.pair.primary.sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ({listed})")
        _wait(choice, 0.02, 0.3)
    world.disturb_all()
    world.await_recovery()
    world.background.await_changes(2)


def restart_the_database(world: World, choice: random.Random) -> None:
    """The database is gone for longer than a lease, and comes back with all that was acknowledged."""
    server = world.pair.primary
    world.disturb_all()
    server.kill() if choice.random() < 0.5 else server.stop()
    began = time.monotonic()
    time.sleep(LEASE_SECONDS + 0.5 if world.is_short else 5)
    for node in world.cluster.nodes:
        world.expect_silence(node, began)
    world.disturb_all()
    server.start()
    world.await_recovery()
    world.background.await_changes(2)


def promote_the_standby(world: World, choice: random.Random) -> None:
    """The primary ends, its synchronous standby takes over, and nothing acknowledged is lost."""
    world.disturb_all()
    world.pair.fail_over(is_crash=choice.random() < 0.5)
    world.await_recovery()
    world.background.await_changes(3)
    world.disturb_all()
    # The old primary comes back as the new one's standby.
    world.pair.attach_standby()
    world.disturb_all()
    world.background.await_changes(1)


def stall_renewals(world: World, choice: random.Random) -> None:
    """A node's renewals take long on the way: some begin before a change and are answered after it."""
    node = world.choose_node(choice)
    try:
        for _ in range(2 if world.is_short else 5):
            node.delay(choice.choice([0.05, 0.2, 0.4, 0.7, 1.2]), "keybearer fence")
            _wait(choice, 0.7, 1.5)
    finally:
        node.restore()
    world.await_recovery()
    world.background.await_changes(2)


def lose_a_commit(world: World, choice: random.Random) -> None:
    """A change is committed, or not, and the node does not hear of it: the same Idempotency-Key resolves it."""
    for part in ("response", "request", "response"):
        proxies = [proxy for node in world.cluster.nodes for proxy in node.proxies]
        world.disturb_all()
        for proxy in proxies:
            proxy.lose_commit(part)
        try:
            eventually(lambda: any(proxy.lost_commit.is_set() for proxy in proxies) or world.background.check(),
                       "a change met the fault")
        finally:
            for proxy in proxies:
                proxy.pass_commits()
            world.disturb_all()
        world.background.await_changes(choice.randint(1, 3))


def slow_a_transaction(world: World, choice: random.Random) -> None:
    """One account's change takes seconds inside its transaction; other accounts' changes go on meanwhile."""
    # Nodes that died before have been waited for.
    world.background.await_changes(2)
    before = world.trail.replaced_count
    world.slow.once()
    if world.trail.replaced_count - before < 2:
        raise Violation("a slow change of one account held up those of another")


def lead_a_renewal_astray(world: World, choice: random.Random) -> None:
    """The fence's connections alone are silent: the node loses its lease although the database answers it."""
    node = world.choose_node(choice)
    node.cut("keybearer fence")
    began = time.monotonic()
    try:
        time.sleep(LEASE_SECONDS + choice.uniform(0.2, 1))
        world.expect_silence(node, began)
    finally:
        node.restore()
    world.await_recovery()
    world.background.await_changes(2)


Fault = Callable[[World, random.Random], None]

ALL: list[Fault] = [
    kill_a_node, suspend_a_node, cut_a_node, lose_notifications, restart_the_database, stall_renewals, lose_a_commit,
    slow_a_transaction, lead_a_renewal_astray, promote_the_standby,
]


def slow_down(pair: Pair, user_id: str) -> None:
    """Makes every change of this account's key wait inside its transaction, from now on."""
    pair.primary.sql(
        f"""
        CREATE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep({SLOW_SECONDS}); RETURN NEW; END $$;
        CREATE TRIGGER slow_down BEFORE UPDATE OF key_id ON api_keys FOR EACH ROW
        WHEN (NEW.user_id = '{user_id}') EXECUTE FUNCTION slow_down();
        """)

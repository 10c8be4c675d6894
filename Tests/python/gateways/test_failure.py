"""When Keybearer cannot decide, nothing passes; and a key that is right is never called wrong."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from gateways.conftest import Stack
from gateways.expectations import expect_denied, expect_envelope, expect_identity
from gateways.gateways import GATEWAYS, Gateway
from gateways.upstream import Upstream
from harness.ports import free_port
from harness.waiting import eventually


def expect_pass(stack: Stack, upstream: Upstream) -> None:
    assert stack.gateway.client.send(key=stack.account.key).status == 200
    expect_identity(upstream.take_one(), stack.account)


def expect_unreachable(stack: Stack, upstream: Upstream) -> None:
    """Nothing passes, with a key or without; no response says that a key is wrong."""
    for key in (stack.account.key, None):
        response = stack.gateway.client.send(key=key)
        assert response.status == stack.gateway.unreachable_status
        if stack.gateway.unreachable_has_envelope:
            expect_envelope(response, 503, "UNAVAILABLE")
    assert upstream.take() == []


def test_keybearer_is_killed_and_comes_back(stack: Stack, upstream: Upstream):
    expect_pass(stack, upstream)
    stack.keybearer.kill()
    expect_unreachable(stack, upstream)
    stack.keybearer.start()
    eventually(lambda: stack.gateway.client.send(key=stack.account.key).status == 200, "it passes again", 15)
    upstream.take()
    expect_pass(stack, upstream)


@pytest.mark.parametrize("kind", [kind for kind in GATEWAYS if kind.patience], ids=lambda kind: kind.name)
def test_keybearer_hangs(kind: type[Gateway], new_stack: Callable[..., Stack], upstream: Upstream):
    """A gate that takes requests and does not respond costs the client seconds, not a request that nobody judged."""
    stack = new_stack(kind)
    expect_pass(stack, upstream)
    with stack.keybearer.suspended():
        started = time.monotonic()
        response = stack.gateway.client.send(key=stack.account.key)
        assert time.monotonic() - started < kind.patience + 3
        expect_envelope(response, 503, "UNAVAILABLE")
        assert upstream.take() == []
    eventually(lambda: stack.gateway.client.send(key=stack.account.key).status == 200, "it passes again", 15)


def test_the_store_is_out_of_reach(stack: Stack, upstream: Upstream):
    """A key in memory passes while the server may still believe its memory (its lease, 2 s), and then nothing does."""
    expect_pass(stack, upstream)
    client, key = stack.gateway.client, stack.account.key
    with closing(sqlite3.connect(stack.keybearer.database, isolation_level=None)) as store:
        # The lock that every write needs, the renewal of the lease too.
        store.execute("BEGIN IMMEDIATE")
        locked = time.monotonic()
        expect_pass(stack, upstream)
        while (response := client.send(key=key)).status == 200:
            upstream.take_one()
            assert time.monotonic() - locked < 10, "it still passes, long after the lease has ended"
        # From the gate, or from a gateway that would not wait until the gate gave the store up.
        expect_envelope(response, 503, "UNAVAILABLE")
        expect_envelope(client.send(key=key), 503, "UNAVAILABLE")
        assert upstream.take() == []
        # What is wrong whatever the store says is still distinguished from what cannot be known.
        expect_denied(client.send(), upstream, 401, "UNAUTHORIZED")
        store.execute("ROLLBACK")
    statuses: list[int] = []

    def passes() -> bool:
        statuses.append(client.send(key=key).status)
        return statuses[-1] == 200

    eventually(passes, "it passes again", 15)
    assert set(statuses) <= {200, 503}
    upstream.take()
    expect_pass(stack, upstream)


@pytest.mark.parametrize(
    "kind", [kind for kind in GATEWAYS if kind.uses_unix_sockets], ids=lambda kind: kind.name
)
def test_a_gate_on_a_unix_socket(kind: type[Gateway], new_stack: Callable[..., Stack], upstream: Upstream):
    stack = new_stack(kind, gate_socket=True)
    expect_pass(stack, upstream)
    expect_denied(stack.gateway.client.send(), upstream, 401, "UNAUTHORIZED")
    stack.keybearer.kill()
    expect_unreachable(stack, upstream)


@pytest.mark.parametrize("kind", GATEWAYS, ids=lambda kind: kind.name)
def test_an_api_that_is_down_is_not_keybearers_fault(kind: type[Gateway], new_stack: Callable[..., Stack]):
    stack = new_stack(kind, api=f"127.0.0.1:{free_port()}")
    response = stack.gateway.client.send(key=stack.account.key)
    assert response.status in (502, 503)
    assert b"UNAVAILABLE" not in response.body
    assert stack.gateway.client.send().status == 401

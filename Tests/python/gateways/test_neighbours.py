"""Clients that share a proxy's connections with hostile ones see no error, and none of another's responses."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from gateways.conftest import Certificate
from gateways.gate_server import CLIENT_ADDRESS, GateServer
from gateways.hostile import Hostile, hostile_requests, leave
from gateways.neighbours import (
    FORWARDED, GOOD_CLIENTS, GOOD_REQUESTS, HOSTILE_CLIENTS, HOSTILE_ROUNDS, ConnectionCount, GoodClient, GoodUser,
    HostileClient, Place, sign_in,
)
from gateways.proxies import PROXIES, Proxy
from harness.connection import Connection, Malformed, request_head
from harness.http_client import Headers, Response


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    settings = ("--trusted-proxies", "127.0.0.1/32")
    keybearer = GateServer(tmp_path_factory.mktemp("neighbours") / "kb", settings=settings)
    try:
        keybearer.start()
        keybearer.commands.create_plan("generous", 1_000_000)
        token = keybearer.commands.run("operator-token", "create", "tests").split()[-1]
        accounts = [keybearer.commands.create_account("generous") for _ in range(GOOD_CLIENTS)]
        people = [GoodUser(account, sign_in(keybearer, account)) for account in accounts]
        yield Place(keybearer, token, people, keybearer.commands.create_account("generous"))
    finally:
        keybearer.stop()


@pytest.fixture(scope="module", params=PROXIES, ids=lambda kind: kind.name)
def proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificate: Certificate, place: Place
) -> Iterator[Proxy]:
    directory = tmp_path_factory.mktemp("proxy") / request.param.name
    proxy = request.param(directory, *certificate, f"127.0.0.1:{place.keybearer.port}")
    yield proxy
    proxy.stop()


def test_good_clients_see_no_error(proxy: Proxy, place: Place):
    count = ConnectionCount(place.keybearer.port)
    are_alone = threading.Event()
    good = [GoodClient(place, proxy, number, are_alone) for number in range(GOOD_CLIENTS)]
    hostile = [HostileClient(place, proxy, number) for number in range(HOSTILE_CLIENTS)]
    started = time.monotonic()
    for thread in [count, *hostile, *good]:
        thread.start()
    for thread in hostile:
        thread.join()
    are_alone.set()
    for thread in good:
        thread.join()
    seconds = time.monotonic() - started
    connections = count.finish()
    sent = sum((each.sent for each in hostile), Counter())
    response_count = sum(each.response_count for each in good)
    print(
        f"\n{proxy.name}: {response_count} good requests and {sent.total()} hostile ones in {seconds:.1f} s"
        f" over {connections} connections to Keybearer"
    )
    assert [problem for each in good for problem in each.problems] == [], proxy.program.log[-4_000:]
    assert [problem for each in hostile for problem in each.problems] == []
    assert response_count >= GOOD_REQUESTS
    # Every kind was there, and connections were shared.
    expected = {each.name: HOSTILE_CLIENTS * HOSTILE_ROUNDS for each in hostile_requests(place.hostile)}
    assert sent == expected
    assert connections < response_count / 4


def profile_request(person: GoodUser) -> bytes:
    """A good request, as a proxy sends it on."""
    key = ("Authorization", f"Bearer {person.account.key}")
    return request_head("GET", "/api/v1/me", [("Host", "localhost"), *FORWARDED, key])


FORGED: list[Headers] = [
    [("X-Forwarded-For", "192.0.2.1")],
    [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "nonsense")],
    [("X-Forwarded-For", "")],
    [("Forwarded", "for=192.0.2.1;proto=http")],
    [("Forwarded", "for=192.0.2.1"), ("Forwarded", "nonsense")],
    [("X-Forwarded-Proto", "http")],
    [("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "http")],
    [("X-Real-IP", "192.0.2.1")],
    # A client can list headers that a proxy then removes.
    [("Connection", "X-Forwarded-For, X-Forwarded-Proto, X-Real-IP, Forwarded")],
    [("Connection", "x-forwarded-for"), ("X-Forwarded-For", "192.0.2.1")],
]


@pytest.mark.parametrize("forged", FORGED, ids=str)
def test_the_address_is_what_the_proxy_saw(proxy: Proxy, place: Place, forged: Headers):
    """Whatever the client says of itself; and the request counts as one over HTTPS."""
    account = place.good[0].account
    with Connection(proxy.client.connect()) as connection:
        key = ("Authorization", f"Bearer {account.key}")
        response = connection.round_trip(request_head("GET", "/api/v1/me", [*forged, ("Host", "localhost"), key]))
    assert response.status == 200, response
    assert response.json["data"]["key"]["lastUsedIp"] == CLIENT_ADDRESS


def use_again(place: Place, each: Hostile, is_pipelined: bool) -> None:
    """A good request, the hostile one, and a good one again, if the connection is still there."""
    person = place.good[0]
    good = profile_request(person)

    def expect_own(response: Response) -> None:
        assert response.status == 200 and response.json["data"]["id"] == person.account.id, response

    with Connection.to_port(place.keybearer.port) as connection:
        expect_own(connection.round_trip(good))
        connection.send(each.data + good if is_pipelined else each.data)
        for _ in range(each.requests):
            response = connection.response(is_head=each.data.startswith(b"HEAD"), takes_continue=bool(each.body))
            if each.body:
                assert response.status == 100, response
                connection.send(each.body)
                response = connection.response()
        assert response.status < 500, response
        if each.is_malformed:
            assert response.status == 400 and response.values("connection") == ["close"], response
        if "close" in response.values("connection"):
            assert connection.rest() == b"", "there is more behind the last answer"
            return
        if not is_pipelined:
            connection.send(good)
        expect_own(connection.response())


@pytest.mark.parametrize("is_pipelined", [False, True], ids=["in turn", "pipelined"])
def test_a_connection_ends_or_can_be_used_again(place: Place, is_pipelined: bool):
    """As a proxy uses a connection: what follows a hostile request is answered as if it were alone, or not at all."""
    problems: list[str] = []
    for each in hostile_requests(place.hostile, FORWARDED):
        if each.is_whole and not (is_pipelined and each.body):
            try:
                use_again(place, each, is_pipelined)
            except (AssertionError, Malformed, OSError) as problem:
                problems.append(f"{each.name}: {problem!r}"[:400])
    assert not problems, "\n".join(problems)


def test_a_good_client_is_not_hurt_by_aborts_of_others(place: Place):
    """Each way to leave, many times; and the server has nothing to say about it."""
    count = len(place.keybearer.log_records)
    requests = [each for each in hostile_requests(place.hostile, FORWARDED) if not each.is_whole]
    person = place.good[0]
    good = profile_request(person)
    with Connection.to_port(place.keybearer.port) as connection:
        for each in requests * 5:
            with socket.create_connection(("127.0.0.1", place.keybearer.port), timeout=30) as hostile:
                hostile.sendall(each.data)
                leave(hostile, each.leaves)
            assert connection.round_trip(good).json["data"]["id"] == person.account.id
    faults = [line for line in place.keybearer.log_records[count:] if line["level"] in ("warning", "error", "critical")]
    assert not faults, faults

"""Every stage of a connection, left in every way, at every listener of ``Connections``: it is closed within its
limit (``LoopConnections``) and costs nothing.

The limits are set to seconds here; they are what docs/configuration.md says of `head-timeout`, `request-timeout`,
`idle-timeout` and `stop-timeout`. With KEYBEARER_TEST_LONG a flood has a gigabyte instead of 64 MB.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateways.listening_server import (
    BODY_SECONDS, HEAD_SECONDS, IDLE_SECONDS, REQUEST_SECONDS, STOP_SECONDS, ListeningServer, in_parallel,
)
from gateways.stages import LISTENERS, Listener, Stage, connect, enter, over_tls, wait_for_end
from harness.programs import REPOSITORY
from harness.waiting import eventually

LIMITS = {
    "head": HEAD_SECONDS, "idle": IDLE_SECONDS, "request": REQUEST_SECONDS, "linger": 1,
    "body": min(BODY_SECONDS, REQUEST_SECONDS),
    # Over HTTP/2 only the stream ends with its request; the connection is idle then.
    "stream": REQUEST_SECONDS + IDLE_SECONDS,
}
# A tick, the closing itself, and a machine that is busy with other tests; a flood keeps it busy, too.
SLACK_SECONDS = {"silent": 3, "drip": 3, "flood": 8}
FLOOD = (1 << 30) if os.environ.get("KEYBEARER_TEST_LONG") else 64 << 20
MEMORY = 32 << 20


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, certificate) -> Iterator[dict[str, ListeningServer]]:
    """One without TLS and one with it: between them they have every listener."""
    with ExitStack() as stack:
        made: dict[str, ListeningServer] = {}
        for name, files in (("plain", None), ("TLS", tuple(certificate))):
            made[name] = ListeningServer(tmp_path_factory.mktemp("edge"), files)
            stack.callback(made[name].stop)
        yield made


@pytest.fixture(params=["plain", "TLS"])
def server(request: pytest.FixtureRequest, servers: dict[str, ListeningServer]) -> ListeningServer:
    return servers[request.param]


def sending(stage: Stage, behaviour: str) -> Iterator[bytes]:
    """What a hostile client goes on to send."""
    if behaviour == "drip":
        next_at = time.monotonic()
        while True:
            if time.monotonic() >= next_at:
                next_at += 1
                yield stage.drip
            else:
                yield b""
    sent = 0
    while behaviour == "flood" and sent < FLOOD:
        yield stage.flood
        sent += len(stage.flood)


# A client that floods has a processor of its own; here they share two.
FLOODING = threading.Semaphore(4)


def leave(server: ListeningServer, listener: Listener, stage: Stage, behaviour: str, failures: list[str]) -> None:
    """One cell of the matrix."""
    name = f"{listener.name} / {stage.name} / {behaviour}"
    with ExitStack() as stack:
        flooding = stack.enter_context(ExitStack())
        if behaviour == "flood":
            flooding.enter_context(FLOODING)
        try:
            connection = stack.enter_context(enter(listener, stage, server.addresses[listener.name]))
        except OSError as problem:
            failures.append(f"{name}: not entered: {problem}")
            return

        def pieces() -> Iterator[bytes]:
            yield from sending(stage, behaviour)
            # All is sent: another may flood while this one waits for its end.
            flooding.close()

        # Bytes that begin a request bring a connection from idleness to the limit of a head.
        limit = LIMITS[stage.limit] + (HEAD_SECONDS if stage.limit == "idle" else 0) + SLACK_SECONDS[behaviour]
        deadline = time.monotonic() + limit + (30 if behaviour == "flood" and FLOOD > 64 << 20 else 0)
        entered = time.monotonic()
        if not wait_for_end(connection, lambda: deadline - time.monotonic(), pieces()):
            failures.append(f"{name}: open after {limit} s")
        elif behaviour == "silent" and stage.limit != "linger":
            # A tick, and the time that it took to enter.
            taken = time.monotonic() - entered
            if taken < LIMITS[stage.limit] - 1:
                failures.append(f"{name}: closed after {taken:.1f} s, which is early")


class Others:
    """Good clients of every listener, all the time, and the server's memory."""

    def __init__(self, server: ListeningServer):
        self._server = server
        self._over = threading.Event()
        self.failures: list[str] = []
        self.response_count = 0
        self.most_memory = 0
        self._threads = [threading.Thread(target=self._request, args=(listener,)) for listener in server.listeners]
        self._threads.append(threading.Thread(target=self._watch))

    def __enter__(self) -> Others:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _request(self, listener: Listener) -> None:
        while not self._over.wait(0.1):
            if self._server.responds(listener, seconds=10):
                self.response_count += 1
            else:
                self.failures.append(f"{listener.name}: a good request was not answered")

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.most_memory = max(self.most_memory, self._server.memory)


@pytest.mark.parametrize("behaviours", [("silent", "drip"), ("flood",)], ids=" and ".join)
def test_every_stage_ends_within_its_limit(servers: dict[str, ListeningServer], behaviours: tuple[str, ...]) -> None:
    failures: list[str] = []
    cells = []
    with ExitStack() as stack:
        watched = []
        for name, server in servers.items():
            for listener in server.listeners:
                # What the first of each kind takes stays taken.
                assert all(server.responds(listener) for _ in range(20))
                cells += [
                    (server, listener, stage, behaviour, failures)
                    for stage in listener.stages for behaviour in behaviours
                ]
            watched.append((name, server, server.first_memory, stack.enter_context(Others(server))))
        in_parallel(leave, cells)
        for _, server, _, others in watched:
            eventually(lambda: others.response_count >= len(server.listeners), "the good clients were answered", 15)
    assert not failures, "\n".join(failures)
    for name, _, before, others in watched:
        assert not others.failures and others.response_count > 0, others.failures
        grown = others.most_memory - before
        print(f"{name}, {' and '.join(behaviours)}: {len(cells)} cells, memory grew by {grown / 1e6:.1f} MB in all")
        assert grown < MEMORY, f"{name}: memory grew by {grown}"


def test_a_stop_ends_in_its_time_whatever_is_open(server: ListeningServer) -> None:
    connections = [
        enter(listener, stage, server.addresses[listener.name])
        for listener in server.listeners for stage in listener.stages
    ]
    over = threading.Event()

    def arrive(address: int | str) -> None:
        """Connections that come while the server stops, too."""
        while not over.wait(0.005):
            try:
                connect(address).close()
            except OSError:
                return

    arriving = [threading.Thread(target=arrive, args=(address,)) for address in server.addresses.values()]
    for thread in arriving:
        thread.start()
    began = time.monotonic()
    code = server.program.end()
    taken = time.monotonic() - began
    over.set()
    for thread in arriving:
        thread.join()
    for connection in connections:
        connection.close()
    server.start()
    assert code == 0, server.program.log[-2_000:]
    assert taken < STOP_SECONDS + 1, f"the stop took {taken:.1f} s"


def test_a_second_signal_ends_it_immediately(server: ListeningServer) -> None:
    listener = server.listeners[0]
    body = next(stage for stage in listener.stages if stage.name == "body held")
    with enter(listener, body, server.addresses[listener.name]):
        lines = server.program.log.count("Stopping.")
        server.program.send_signal(signal.SIGTERM)
        server.program.wait_until(lambda: server.program.log.count("Stopping.") > lines, "it was stopping")
        began = time.monotonic()
        server.program.send_signal(signal.SIGTERM)
        code = server.program.wait(STOP_SECONDS)
        taken = time.monotonic() - began
    server.start()
    assert code == 128 + signal.SIGTERM
    assert taken < STOP_SECONDS / 2, f"the stop took {taken:.1f} s"


def test_every_listener_of_the_server_is_in_the_matrix() -> None:
    source = (REPOSITORY / "Sources/KeybearerServer/Listener/Connections.swift").read_text()
    body = re.search(r"enum Listener: [^{]*\{(.*?)fileprivate", source, re.DOTALL)[1]
    names = set(re.findall(r"case `?(\w+)`?$", body, re.MULTILINE))
    assert names == {listener.name.split()[0] for listener in LISTENERS}


def test_a_slow_reader_gets_all_its_responses(servers: dict[str, ListeningServer]) -> None:
    cases = [(server, ending) for server in servers.values() for ending in ("close", "kept")]
    # Over TLS, this client cannot end one half.
    in_parallel(read_slowly, [*cases, (servers["plain"], "half")])


def read_slowly(server: ListeningServer, ending: str) -> None:
    """Sends many requests, and reads nothing for a while."""
    listener = server.listeners[0]
    count = 600
    connection = socket.socket()
    # What the kernel does not take, the server holds.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect(("127.0.0.1", server.addresses[listener.name]))
    connection.settimeout(30)
    if listener.protocol:
        connection = over_tls(connection, "http/1.1")
    request = b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n"
    last = b"Connection: close\r\n\r\n" if ending == "close" else b"\r\n"
    connection.sendall((request + b"\r\n") * (count - 1) + request + last)
    if ending == "half":
        connection.shutdown(socket.SHUT_WR)
    # Longer than a connection lingers, and shorter than a request may take.
    time.sleep(2)
    received = b""
    with connection:
        while received.count(b"UNAUTHORIZED") < count:
            piece = connection.recv(4_096)
            assert piece, f"{received.count(b'UNAUTHORIZED')} of {count} answers"
            received += piece

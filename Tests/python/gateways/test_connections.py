"""Every stage of a connection, left in every way, at every listener: it is closed within its limit and costs nothing.

The limits are set to seconds here; they are what docs/configuration.md says of `head-timeout`, `request-timeout`,
`idle-timeout` and `stop-timeout`. With KEYBEARER_TEST_LONG a flood has a gigabyte instead of 64 MB.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateways.gate_server import GateServer
from gateways.stages import (
    LISTENERS, PREFACE, SETTINGS, Listener, Stage, block, connect, enter, frame, over_tls, wait_for_end,
)
from harness.connection import Connection, Malformed, request_head
from harness.ports import free_port
from harness.processes import Program
from harness.programs import ENVIRONMENT, REPOSITORY
from harness.waiting import eventually

HEAD_SECONDS = 2
IDLE_SECONDS = 4
REQUEST_SECONDS = 6
BODY_SECONDS = 10
STOP_SECONDS = 5
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
# How many files a server may open that silent connections are to lock others out of.
FEW_FILES = 1_024
# And how many silent connections come.
SILENT = 2_000


class Server:
    """A server with all listeners, on a database of its own."""

    def __init__(self, directory: Path, certificate: tuple[Path, Path] | None, files: int | None = None):
        settings = [
            "--idle-timeout", f"{IDLE_SECONDS}s", "--stop-timeout", f"{STOP_SECONDS}s",
            "--head-timeout", f"{HEAD_SECONDS}s", "--request-timeout", f"{REQUEST_SECONDS}s",
        ]
        if certificate:
            settings += ["--tls-certificate", str(certificate[0]), "--tls-key", str(certificate[1])]
        keybearer = GateServer(directory / "kb", gate_socket=certificate is not None, settings=tuple(settings))
        self._arguments = keybearer.serve_arguments()
        if files:
            self._arguments = ["/bin/sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *self._arguments]
        self._log = keybearer.log_path
        gate = keybearer.gate
        self.addresses: dict[str, int | str] = (
            {
                "public over TLS, HTTP/1.1": keybearer.port, "public over TLS, HTTP/2": keybearer.port,
                "gate on a Unix socket": gate.removeprefix("unix:"),
            }
            if certificate
            else {"public": keybearer.port, "gate": int(gate.split(":")[1])}
        )
        self.start()

    def start(self) -> None:
        self._first_memory: int | None = None
        self.program = Program(self._arguments, self._log)
        self.program.wait_until(lambda: self.responds(self.listeners[0]), "Keybearer was ready")

    @property
    def listeners(self) -> list[Listener]:
        return [listener for listener in LISTENERS if listener.name in self.addresses]

    def responds(self, listener: Listener, seconds: float = 5) -> bool:
        """Whether a good request is answered within a time: 200 by the probe, 401 by the gate without a key."""
        deadline = time.monotonic() + seconds
        is_gate = listener.name.startswith("gate")
        path = "/gate" if is_gate else "/healthz"
        try:
            connection = connect(self.addresses[listener.name], seconds)
            if listener.protocol:
                connection = over_tls(connection, "http/1.1")
            with Connection(connection) as connection:
                headers = [("Host", "localhost"), ("X-Forwarded-Proto", "https"), ("Connection", "close")]
                response = connection.exchange(request_head("GET", path, headers))
                return response.status == (401 if is_gate else 200) and time.monotonic() < deadline
        except (OSError, Malformed):
            return False

    @property
    def memory(self) -> int:
        """What it holds in memory, in bytes."""
        status = Path(f"/proc/{self.program.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    @property
    def first_memory(self) -> int:
        """What it held when this was first read since its start."""
        if self._first_memory is None:
            self._first_memory = self.memory
        return self._first_memory

    def stop(self) -> None:
        self.program.kill()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, certificate) -> Iterator[dict[str, Server]]:
    """One without TLS and one with it: between them they have every listener."""
    with ExitStack() as stack:
        made: dict[str, Server] = {}
        for name, files in (("plain", None), ("TLS", tuple(certificate))):
            made[name] = Server(tmp_path_factory.mktemp("edge"), files)
            stack.callback(made[name].stop)
        yield made


@pytest.fixture(params=["plain", "TLS"])
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    return servers[request.param]


def in_parallel(run: Callable[..., None], cases: list[tuple]) -> None:
    """Runs each case in a thread of its own, and fails as the first that failed."""
    with ThreadPoolExecutor(len(cases)) as pool:
        for done in [pool.submit(run, *case) for case in cases]:
            done.result()


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


def leave(server: Server, listener: Listener, stage: Stage, behaviour: str, failures: list[str]) -> None:
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

    def __init__(self, server: Server):
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
def test_every_stage_ends_within_its_limit(servers: dict[str, Server], behaviours: tuple[str, ...]) -> None:
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


def test_a_stop_ends_in_its_time_whatever_is_open(server: Server) -> None:
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


def test_a_second_signal_ends_it_immediately(server: Server) -> None:
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


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_silent_connections_lock_nobody_out(tmp_path: Path, certificate, is_tls: bool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    server = Server(tmp_path, tuple(certificate) if is_tls else None, files=FEW_FILES)
    silent: list[socket.socket] = []
    try:
        for listener in server.listeners:
            before, until = len(silent), time.monotonic() + 30
            while len(silent) - before < SILENT and time.monotonic() < until:
                try:
                    silent.append(connect(server.addresses[listener.name], seconds=1))
                except (ConnectionError, TimeoutError):
                    # The listener takes no more for the moment: that is what the limit is for.
                    time.sleep(0.01)
            # Whichever of them it ended: more came than it can hold.
            assert len(silent) - before >= FEW_FILES, f"{listener.name} took {len(silent) - before} connections"
            for other in server.listeners:
                deadline = time.monotonic() + HEAD_SECONDS + 3
                while not (has_response := server.responds(other, seconds=1)) and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert has_response and time.monotonic() < deadline, f"{other.name} is locked out by {listener.name}"
    finally:
        for connection in silent:
            connection.close()
        server.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def second_start(keybearer: GateServer) -> subprocess.CompletedProcess[str]:
    """A server that is to listen on the same socket, and ends."""
    arguments = keybearer.serve_arguments(free_port())
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)


def test_a_socket_that_somebody_listens_on_is_never_taken(tmp_path: Path) -> None:
    keybearer = GateServer(tmp_path / "kb", gate_socket=True)
    keybearer.start()
    path = keybearer.gate.removeprefix("unix:")
    inode = os.stat(path).st_ino
    second = second_start(keybearer)
    assert second.returncode == 69 and f"unix:{path}" in second.stderr, second.stderr
    assert "KeybearerError" not in second.stderr and "Listening" not in second.stderr, second.stderr
    assert os.stat(path).st_ino == inode
    connect(path).close()
    begun = time.monotonic()
    keybearer.stop()
    assert time.monotonic() - begun < 10, "nothing is open, so nothing is waited for"
    assert not os.path.exists(path), "a stop takes its own socket away"
    # One that is left over is taken.
    keybearer.start()
    keybearer.kill()
    assert os.path.exists(path)
    keybearer.start()
    connect(path).close()
    keybearer.stop()
    # A file of another kind is left alone.
    Path(path).write_text("not a socket")
    refused = second_start(keybearer)
    assert refused.returncode == 69 and Path(path).read_text() == "not a socket", refused.stderr


def test_sighup_reads_the_certificate_again_and_loses_nothing(tmp_path: Path, certificate) -> None:
    directory = tmp_path / "tls"
    directory.mkdir()
    files = (directory / "certificate.pem", directory / "key.pem")
    for source, target in zip(certificate, files):
        target.write_bytes(source.read_bytes())
    server = Server(tmp_path, files)
    try:
        listener = server.listeners[0]
        open_connection = over_tls(connect(server.addresses[listener.name]), "http/1.1")
        first = open_connection.getpeercert(binary_form=True)
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=second",
                "-out", files[0], "-keyout", files[1],
            ],
            check=True, capture_output=True, timeout=60,
        )
        server.program.send_signal(signal.SIGHUP)
        server.program.wait_until(lambda: "Reloaded." in server.program.log, "the certificate was read again")
        second = over_tls(connect(server.addresses[listener.name]), "http/1.1").getpeercert(binary_form=True)
        assert second != first
        # A file that cannot be used changes nothing.
        files[0].write_text("no certificate")
        server.program.send_signal(signal.SIGHUP)
        server.program.wait_until(lambda: "Reload failed" in server.program.log, "the failure was logged")
        third = over_tls(connect(server.addresses[listener.name]), "http/1.1").getpeercert(binary_form=True)
        assert third == second
        open_connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert open_connection.recv(15) == b"HTTP/1.1 200 OK"
    finally:
        server.stop()


def test_a_slow_reader_gets_all_its_responses(servers: dict[str, Server]) -> None:
    cases = [(server, ending) for server in servers.values() for ending in ("close", "kept")]
    # Over TLS, this client cannot end one half.
    in_parallel(read_slowly, [*cases, (servers["plain"], "half")])


def read_slowly(server: Server, ending: str) -> None:
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
    answers = b""
    with connection:
        while answers.count(b"UNAUTHORIZED") < count:
            piece = connection.recv(4_096)
            assert piece, f"{answers.count(b'UNAUTHORIZED')} of {count} answers"
            answers += piece


# `:status: 100` as HPACK has it: the name from the table, the value in Huffman's code.
STATUS_100 = b"H\x82\x08\x01"


def frames(connection: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """The frames that come: their type, flags and payload."""
    stream = connection.makefile("rb")
    while len(start := stream.read(9)) == 9:
        yield start[3], start[4], stream.read(int.from_bytes(start[:3], "big"))


def test_http2_requests_a_body_that_expects_100_continue(tmp_path: Path, certificate) -> None:
    server = Server(tmp_path, tuple(certificate))
    try:
        connection = over_tls(connect(server.addresses["public over TLS, HTTP/2"]), "h2")
        headers = (
            ("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", "1"), ("expect", "100-continue"),
        )
        connection.sendall(PREFACE + SETTINGS + frame(1, 4, 1, block("POST", "/sign-in", *headers)))
        heads = (one for one in frames(connection) if one[0] == 1)
        kind, flags, payload = next(heads)
        assert payload == STATUS_100 and not flags & 1, "100 Continue, and the stream goes on"
        connection.sendall(frame(0, 1, 1, b"%"))
        kind, flags, payload = next(heads)
        assert payload != STATUS_100, "the answer itself"
    finally:
        server.stop()


def test_http2_is_idle_for_its_whole_time_whatever_its_reads_held(tmp_path: Path, certificate) -> None:
    server = Server(tmp_path, tuple(certificate))
    try:
        connection = over_tls(connect(server.addresses["public over TLS, HTTP/2"]), "h2")
        connection.sendall(PREFACE + SETTINGS)
        coming = frames(connection)
        # Each request in a read of its own, with no frame of the connection beside it.
        for stream in (1, 3):
            connection.sendall(frame(1, 5, stream, block("GET", "/healthz")))
            while not (one := next(coming))[0] == 0 or not one[1] & 1:
                pass
        responded_at = time.monotonic()
        rest = list(coming)
        taken = time.monotonic() - responded_at
        assert taken > IDLE_SECONDS - 1 > HEAD_SECONDS, f"closed after {taken:.1f} s"
        assert [one[0] for one in rest] == [7], "and it says goodbye"
    finally:
        server.stop()

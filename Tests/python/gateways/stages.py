"""The stages that a connection can be left in, and what a hostile client does there."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n"
# No form: whoever sends it whole has no password looked at, which would take memory of its own.
POST += b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\n%"
FLOOD_PIECE = 1 << 16


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header as HPACK has it without a table."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def block(method: str, path: str, *more: tuple[str, str]) -> bytes:
    """The header block of a request."""
    headers = [(":method", method), (":scheme", "https"), (":path", path), (":authority", "localhost"), *more]
    return b"".join(literal(*field) for field in headers)


SETTINGS = frame(4, 0, 0)
NO_WINDOW = frame(4, 0, 0, struct.pack(">HI", 4, 0))
GET = frame(1, 5, 1, block("GET", "/readyz"))
REFUSED = frame(1, 5, 1, block("GET", "/\x01"))
FORM = (("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded"))
UNKNOWN = frame(0xEE, 0, 0, bytes(16_000))


@dataclass(frozen=True)
class Stage:
    """How a connection gets into a stage, and which bytes continue it there."""

    name: str
    # What brings a connection into it.
    step: bytes
    drip: bytes
    flood: bytes
    # Which of the server's limits ends it.
    limit: str
    # Whether all of this is sent inside TLS.
    is_inside: bool = True


def client_hello() -> bytes:
    """What a TLS client sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


HELLO = client_hello()
# The length of a record that is longer than what comes.
TLS = (
    Stage("before TLS", b"", HELLO[:1], bytes(FLOOD_PIECE), "head", is_inside=False),
    Stage("half ClientHello", HELLO[: len(HELLO) // 2], HELLO[-1:], bytes(FLOOD_PIECE), "head", is_inside=False),
)
HTTP1 = (
    Stage("nothing", b"", b"G", b"a" * FLOOD_PIECE, "idle"),
    Stage("half head", b"GET /readyz HTTP/1.1\r\nHost: loc", b"a", b"a" * FLOOD_PIECE, "head"),
    Stage("head without end", HEAD, b"X-A: b\r\n", b"X-A: b\r\n" * (FLOOD_PIECE // 8), "head"),
    Stage("idle", HEAD + b"\r\n", b"G", b"X-A: b\r\n" * (FLOOD_PIECE // 8), "idle"),
    Stage("after a refusal", b"GET /\x01 HTTP/1.1\r\n\r\n", b"a", b"a" * FLOOD_PIECE, "linger"),
)
BODY = (Stage("body held", POST, b"%", b"%" * FLOOD_PIECE, "body"),)
HTTP2 = (
    Stage("nothing", b"", PREFACE[:1], PREFACE, "head"),
    Stage("preface only", PREFACE, UNKNOWN[:1], UNKNOWN, "head"),
    Stage("settings never acknowledged", PREFACE + SETTINGS, UNKNOWN[:1], UNKNOWN, "idle"),
    Stage("half head", PREFACE + SETTINGS + GET[:20], b"a", bytes(FLOOD_PIECE), "head"),
    Stage(
        "head without end", PREFACE + SETTINGS + frame(1, 1, 1, block("GET", "/readyz")), b"\x00",
        frame(9, 0, 1, literal("x-a", "b") * 1_000), "head",
    ),
    Stage(
        "body held",
        PREFACE + SETTINGS + frame(1, 4, 1, block("POST", "/sign-in", *FORM)) + frame(0, 0, 1, b"%"),
        UNKNOWN[:1], frame(0, 0, 1, b"%" * 16_000), "stream",
    ),
    Stage("idle", PREFACE + SETTINGS + GET, UNKNOWN[:1], UNKNOWN, "idle"),
    Stage("streams open", PREFACE + NO_WINDOW + GET, UNKNOWN[:1], UNKNOWN, "stream"),
    Stage("after GOAWAY", PREFACE + SETTINGS + frame(0, 0, 0, b"a"), b"a", UNKNOWN, "linger"),
    Stage("after a refusal", PREFACE + SETTINGS + REFUSED, UNKNOWN[:1], UNKNOWN, "idle"),
)


@dataclass(frozen=True)
class Listener:
    """A way into the server."""

    name: str
    stages: tuple[Stage, ...]
    # The protocol inside TLS; None without TLS.
    protocol: str | None = None


LISTENERS = (
    Listener("public", HTTP1 + BODY),
    Listener("public over TLS, HTTP/1.1", TLS + HTTP1 + BODY, "http/1.1"),
    Listener("public over TLS, HTTP/2", HTTP2, "h2"),
    # It reads a body only of whoever has a token.
    Listener("operators", HTTP1),
    Listener("metrics", HTTP1),
    Listener("gate", HTTP1),
    Listener("gate on a Unix socket", HTTP1),
)


def connect(address: int | str, seconds: float = 30) -> socket.socket:
    """A connection to a port of this machine, or to a Unix socket.

    Connecting, and each read and write after it, may take so many seconds.
    """
    connection = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    try:
        if isinstance(address, str):
            # Where the queue is full, only a blocking socket waits, and only this bounds how long.
            limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            connection.connect(address)
        connection.settimeout(seconds)
        if not isinstance(address, str):
            connection.connect(("127.0.0.1", address))
    except BlockingIOError as problem:
        connection.close()
        raise TimeoutError from problem
    except BaseException:
        connection.close()
        raise
    return connection


def over_tls(connection: socket.socket, protocol: str) -> ssl.SSLSocket:
    """The connection with TLS on it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(connection, server_hostname="localhost")


def enter(listener: Listener, stage: Stage, address: int | str) -> socket.socket:
    """A connection in a stage."""
    connection = connect(address)
    if listener.protocol and stage.is_inside:
        connection = over_tls(connection, listener.protocol)
    connection.sendall(stage.step)
    return connection


def wait_for_end(connection: socket.socket, until: Callable[[], float], send: Iterator[bytes]) -> bool:
    """Sends what comes, at its own pace, and reads until the other end closes.

    Returns whether it did before the time that `until` counts down.
    """
    connection.settimeout(0.05)
    pending = b""
    while (left := until()) > 0:
        if not pending:
            pending = next(send, b"")
        try:
            if pending:
                pending = pending[connection.send(pending):]
        except (TimeoutError, ssl.SSLWantWriteError):
            pass
        except OSError:
            return True
        try:
            connection.settimeout(0.001 if pending else min(0.05, left))
            if connection.recv(1 << 16) == b"":
                return True
        except (TimeoutError, ssl.SSLWantReadError):
            pass
        except OSError:
            return True
    return False

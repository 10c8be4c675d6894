"""Requests of clients that misbehave: what they send, and how they leave."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

from harness.accounts import UNKNOWN_KEY, Account
from harness.connection import request_head
from harness.http_client import Headers

# How a client leaves once it has sent what it sends.
READ, FIN, RESET = "reads the answer", "closes its half", "resets"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")


@dataclass(frozen=True)
class Hostile:
    """A request that is hard on a connection which others use too."""

    name: str
    data: bytes
    leaves: str = READ
    # What is sent when `100 Continue` came.
    body: bytes = b""
    # Whether a server has to see that this is malformed. Then it must answer 400 and close.
    is_malformed: bool = False
    # How many requests it is.
    requests: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether the server can answer without reading more than was sent."""
        return self.leaves == READ


def hostile_requests(account: Account, forwarded: Headers | None = None) -> list[Hostile]:
    """All of them, with an account's key where the request should pass, and with what a proxy adds."""
    key, wrong = ("Authorization", f"Bearer {account.key}"), ("Authorization", f"Bearer {UNKNOWN_KEY}")
    host, forwarded = "localhost", forwarded or []
    host_headers = [("Host", host), *forwarded]

    def get(*headers: tuple[str, str], target: str = "/api/v1/me", method: str = "GET") -> bytes:
        return request_head(method, target, [*host_headers, key, *headers])

    def post(*headers: tuple[str, str], key: tuple[str, str] = key, target: str = "/api/v1/key/revoke") -> bytes:
        return request_head("POST", target, [*host_headers, key, JSON, *headers])

    def length(count: int) -> tuple[str, str]:
        return "Content-Length", str(count)

    websocket = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")]
    h2c = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA")]
    expects = ("Expect", "100-continue")
    chunked = ("Transfer-Encoding", "chunked")
    wrong_json = b'{"neighbour":1}'
    old = get().replace(b"HTTP/1.1", b"HTTP/1.0", 1)

    whole = [
        Hostile("upgrade to websocket", get(("Connection", "Upgrade"), *websocket)),
        Hostile("upgrade without a key", request_head("GET", "/sign-in", [*host_headers, ("Connection", "upgrade"), *websocket])),
        Hostile("upgrade that waits for frames", get(("Connection", "keep-alive, Upgrade"), *websocket) + b"\x81\x05hello"),
        Hostile("upgrade to h2c", get(*h2c)),
        Hostile("upgrade with a body", post(*h2c, length(len(wrong_json))) + wrong_json),
        Hostile("Upgrade without Connection", get(*websocket)),
        Hostile("Connection: Upgrade alone", get(("Connection", "Upgrade"))),
        *(
            Hostile(f"Connection: {value}", get(("Connection", value)))
            for value in ("close", "Close", "CLOSE", "keep-alive, close", "close , te", "keep-alive", ",", "Host")
        ),
        Hostile("two lines of Connection", get(("Connection", "keep-alive"), ("Connection", "close"))),
        Hostile("Proxy-Connection and Keep-Alive", get(("Proxy-Connection", "keep-alive"), ("Keep-Alive", "timeout=1, max=1"))),
        Hostile("HTTP/1.0", old),
        Hostile("HTTP/1.0, keep-alive", old[:-2] + b"Connection: keep-alive\r\n\r\n"),
        Hostile("Expect with its body", post(expects, length(len(wrong_json))) + wrong_json),
        Hostile("Expect, then its body", post(expects, length(len(wrong_json))), body=wrong_json),
        Hostile("Expect without a key", post(expects, length(4_000), key=wrong)),
        Hostile("Expect without a body", get(expects)),
        Hostile("Expect of something else", get(("Expect", "200-ok"))),
        Hostile("a body behind a 401", post(length(4_000), key=wrong) + bytes(4_000)),
        Hostile("a long body behind a 401", post(length(60_000), key=wrong) + bytes(60_000)),
        Hostile("a body that is too long", post(length(60_000)) + bytes(60_000)),
        Hostile("a chunked body behind a 401", post(chunked, key=wrong) + b"5\r\nhello\r\n0\r\n\r\n"),
        Hostile("GET with a body", get(length(20)) + b"GET / HTTP/1.1\r\nA: b"),
        Hostile("GET with a chunked body", get(chunked) + b"5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n"),
        Hostile("HEAD", get(method="HEAD")),
        Hostile("HEAD of a page", get(method="HEAD", target="/sign-in")),
        *(Hostile(f"method {method}", get(method=method)) for method in ("FOO", "QUERY", "get", "TRACE", "OPTIONS", "DELETE")),
        Hostile("CONNECT", request_head("CONNECT", "localhost:443", [("Host", "localhost:443"), *forwarded, key])),
        Hostile("absolute-form", get(target=f"http://{host}/api/v1/me")),
        Hostile("absolute-form of another host", get(target="http://other.example/api/v1/me")),
        Hostile("asterisk-form", request_head("OPTIONS", "*", [*host_headers, key])),
        Hostile("a path of another's", get(target="//other.example/%2e%2e/%00")),
        Hostile("many headers", get(*((f"X-{number}", "a") for number in range(120)))),
        Hostile("long headers", get(*((f"X-{number}", "a" * 4_000) for number in range(12)))),
        Hostile("two requests together", get() + get(), requests=2),
    ]
    malformed = [
        Hostile("a bad chunk", post(chunked) + b"zz\r\nhello\r\n0\r\n\r\n"),
        Hostile("no Host", request_head("GET", "/api/v1/me", [*forwarded, key])),
        Hostile("two Hosts", get(("Host", "other.example"))),
        Hostile("a control character", get(("X-A", "a\x01b"), target="/\x01")),
        Hostile("NUL in a header", get(("X-A", "a\x00b"))),
        Hostile("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        *(Hostile(name, data) for name, data in smuggling(post)),
    ]
    left = [
        Hostile("Expect, and no body", post(expects, length(4_000)), RESET),
        Hostile("Expect without a key, and gone", post(expects, length(4_000), key=wrong), RESET),
        *(
            Hostile(f"a body that ends early, {leaves}", post(length(4_000)) + b"0123456789", leaves)
            for leaves in (FIN, RESET)
        ),
        *(
            Hostile(
                f"a form that ends early, {leaves}",
                request_head("POST", "/sign-in", [*host_headers, ("Sec-Fetch-Site", "same-origin"), FORM, length(4_000)]) + b"0123456789",
                leaves,
            )
            for leaves in (FIN, RESET)
        ),
        *(Hostile(f"half a chunk, {leaves}", post(chunked) + b"ff\r\nhello", leaves) for leaves in (FIN, RESET)),
        *(Hostile(f"half a head, {leaves}", get()[:-2], leaves) for leaves in (FIN, RESET)),
        *(Hostile(f"gone before the answer, {leaves}", get(), leaves) for leaves in (FIN, RESET)),
        *(Hostile(f"gone before the page, {leaves}", get(target="/account"), leaves) for leaves in (FIN, RESET)),
        Hostile("gone before the change", post(length(len(wrong_json))) + wrong_json, RESET),
        Hostile("five requests, and gone", get() * 5, RESET),
    ]
    return [*whole, *(Hostile(each.name, each.data, is_malformed=True) for each in malformed), *left]


def smuggling(post) -> list[tuple[str, bytes]]:
    """Bodies whose end two programs could see in different places."""
    hidden = b"GET /api/v1/key HTTP/1.1\r\nHost: localhost\r\n\r\n"
    chunks = b"5\r\nhello\r\n0\r\n\r\n" + hidden
    both = [("Content-Length", str(len(chunks))), ("Transfer-Encoding", "chunked")]
    encodings = ["xchunked", "chunked, identity", "identity, chunked", "chunked, chunked", "identity", "\x0bchunked", "chunked\x00", "gzip"]
    lengths = ["+5", "-5", "5,5", "5, 6", "0x5", "5 5", "", "5;", "99999999999999999999"]
    return [
        ("Content-Length and Transfer-Encoding", post(*both) + chunks),
        ("Transfer-Encoding and Content-Length", post(*reversed(both)) + chunks),
        *(
            (f"Transfer-Encoding: {value!r}", post(("Transfer-Encoding", value)) + chunks)
            for value in encodings
        ),
        ("two Transfer-Encodings", post(("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")) + chunks),
        *((f"Content-Length: {value!r}", post(("Content-Length", value)) + b"hello" + hidden) for value in lengths),
        ("two Content-Lengths", post(("Content-Length", "5"), ("Content-Length", "6")) + b"hello" + hidden),
        ("a blank before the colon", post(("Content-Length ", "5")) + b"hello" + hidden),
        ("a folded header", post(("X-A", "b\r\n Content-Length: 5"), ("Content-Length", "5")) + b"hello" + hidden),
        ("a folded Transfer-Encoding", post(("Transfer-Encoding", "\r\n chunked")) + chunks),
        ("a bare LF in the head", post(("X-A", "b\nContent-Length: 5")) + b"hello" + hidden),
        ("a bare CR in the head", post(("X-A", "b\rContent-Length: 5")) + b"hello" + hidden),
        ("a chunk's length with a sign", post(("Transfer-Encoding", "chunked")) + b"+5\r\nhello\r\n" + chunks),
        ("a chunk's length in 0x", post(("Transfer-Encoding", "chunked")) + b"0x5\r\nhello\r\n" + chunks),
        ("a chunk's end with a bare LF", post(("Transfer-Encoding", "chunked")) + b"5\nhello\n0\n\n" + hidden),
        ("a chunk that is longer than it says", post(("Transfer-Encoding", "chunked")) + b"5\r\nhello!\r\n" + chunks),
        ("a chunk's length that overflows", post(("Transfer-Encoding", "chunked")) + b"10000000000000005\r\nhello\r\n" + chunks),
    ]


def leave(connection: socket.socket, how: str) -> None:
    """Ends a connection without having read."""
    if how == RESET:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == FIN:
        # The other end may have ended it before.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
    connection.close()

"""HTTP/1.1 in exactly the bytes that a test wants, on a socket that carries one request after another."""

from __future__ import annotations

import socket
from types import TracebackType

from harness.http_client import Headers, Response


class Closed(ConnectionError):
    """The other end closed before a response had come."""


class Malformed(ValueError):
    """What came is no HTTP/1.1."""


def request_head(method: str, target: str, headers: Headers) -> bytes:
    """The head of a request, with nothing added, corrected or reordered."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class Connection:
    """HTTP/1.1 over a socket. Bytes that follow a response stay for the next one."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._received = b""

    @classmethod
    def to_port(cls, port: int, timeout: float = 30) -> Connection:
        """A connection to a port of this machine, without TLS."""
        return cls(socket.create_connection(("127.0.0.1", port), timeout=timeout))

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def send(self, request: bytes) -> None:
        self._connection.sendall(request)

    def round_trip(self, request: bytes, is_head: bool = False) -> Response:
        """Sends a request and reads its response."""
        self.send(request)
        return self.response(is_head)

    def response(self, is_head: bool = False, takes_continue: bool = False) -> Response:
        """The next response.

        - is_head: whether it belongs to a request with the method HEAD.
        - takes_continue: whether an interim response is returned too, and not left out.
        """
        while True:
            lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            version, _, rest = lines[0].partition(" ")
            if version != "HTTP/1.1" or not all(":" in line for line in lines[1:]):
                raise Malformed(f"no head of a response: {lines}")
            status = int(rest[:3])
            headers = [(name.lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines[1:])]
            response = Response(status, headers, b"")
            if status >= 200 or takes_continue:
                break
        if status < 200 or status in (204, 304) or is_head:
            return response
        return Response(status, headers, self._body(response))

    def rest(self) -> bytes:
        """All that comes until the other end closes."""
        while self._fill():
            pass
        rest, self._received = self._received, b""
        return rest

    def _body(self, response: Response) -> bytes:
        if response.values("transfer-encoding") == ["chunked"]:
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._take(size)
                if self._take(2) != b"\r\n":
                    raise Malformed("a chunk is longer than its size")
            if self._until(b"\r\n") != b"":
                raise Malformed("a response with trailers")
            return body
        if lengths := response.values("content-length"):
            if len(lengths) != 1:
                raise Malformed(f"lengths: {lengths}")
            return self._take(int(lengths[0]))
        return self.rest()

    def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            if not self._fill():
                raise Closed(f"closed behind {self._received[-200:]!r}")
        taken, self._received = self._received.split(end, 1)
        return taken

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            if not self._fill():
                raise Closed(f"closed in a body, {len(self._received)} of {count} bytes")
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _fill(self) -> bool:
        more = self._connection.recv(1 << 16)
        self._received += more
        return bool(more)

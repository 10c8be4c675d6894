"""A connection that carries one request after another and takes apart exactly what comes."""

from __future__ import annotations

import socket
from types import TracebackType

from gateways.client import Answer


class Closed(Exception):
    """The other end closed before an answer had come."""


class Wire:
    """HTTP/1.1 over a socket. Bytes that are behind an answer stay for the next one."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._received = b""

    @classmethod
    def to_port(cls, port: int) -> Wire:
        """A connection to a port of this machine, without TLS."""
        return cls(socket.create_connection(("127.0.0.1", port), timeout=30))

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def send(self, request: bytes) -> None:
        self._connection.sendall(request)

    def exchange(self, request: bytes) -> Answer:
        """Sends a request and reads its answer."""
        self.send(request)
        return self.answer()

    def answer(self, is_to_head: bool = False, takes_continue: bool = False) -> Answer:
        """The next answer; interim ones are left out unless they are asked for."""
        while True:
            lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            version, status = lines[0].split(" ")[:2]
            assert version == "HTTP/1.1", lines[0]
            fields = [(name.lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines[1:])]
            answer = Answer(int(status), fields, b"")
            if answer.status >= 200 or takes_continue:
                break
        if answer.status < 200 or answer.status in (204, 304) or is_to_head:
            return answer
        return Answer(answer.status, fields, self._body(answer))

    def rest(self) -> bytes:
        """All that comes until the other end closes."""
        while self._fill():
            pass
        rest, self._received = self._received, b""
        return rest

    def _body(self, answer: Answer) -> bytes:
        if answer.values("transfer-encoding") == ["chunked"]:
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._take(size)
                assert self._take(2) == b"\r\n"
            assert self._until(b"\r\n") == b""
            return body
        if lengths := answer.values("content-length"):
            assert len(lengths) == 1, answer
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

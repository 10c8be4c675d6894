"""A small HTTP client with one kept-alive connection, which never raises: no answer is an answer too."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass

# There was no answer: whether the request was decided is unknown.
NO_ANSWER = 0
# What a gateway says of the request that it asks about.
_GATEWAY = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and when, on this process's monotonic clock."""

    status: int
    body: bytes
    # Before the first byte of the request was sent, and after the last one of the answer was received.
    started: float
    ended: float

    @property
    def elapsed(self) -> float:
        return self.ended - self.started

    @property
    def data(self) -> dict:
        """What a success is about."""
        return json.loads(self.body)["data"]


class Client:
    """Sends one request at a time to one port of 127.0.0.1."""

    def __init__(self, port: int, timeout: float = 15):
        self._port = port
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._started = 0.0

    def get(self, key: str | None = None, path: str = "/api/v1/key") -> Answer:
        self.begin("GET", path, key)
        return self.finish()

    def ask_gate(self, key: str) -> Answer:
        """Asks as a gateway does; the port must be that of a gate."""
        self.begin("GET", "/gate/things", key, _GATEWAY)
        return self.finish()

    def use_often(self, key: str, times: int) -> None:
        """Uses a key through a gate, all requests on the way at once: a node then reserves many at a time for it."""
        request = f"GET /gate/things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n{_GATEWAY}\r\n"
        with socket.create_connection(("127.0.0.1", self._port), timeout=self._timeout) as connection:
            # Not more than both sides take in without reading.
            for count in [100] * (times // 100):
                connection.sendall(request.encode() * count)
                data = b""
                while data.count(b"HTTP/1.1 ") < count or not data.endswith(b"}"):
                    data += self._more(connection)

    def regenerate(self, key: str, idempotency_key: str) -> Answer:
        fields = f"Idempotency-Key: {idempotency_key}\r\nContent-Length: 0\r\n"
        self.begin("POST", "/api/v1/key/regenerate", key, fields)
        return self.finish()

    def begin(self, method: str, path: str, key: str | None, fields: str = "") -> None:
        """Sends a request whose answer `finish` awaits."""
        bearer = f"Authorization: Bearer {key}\r\n" if key else ""
        request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}{fields}\r\n".encode()
        self._started = time.monotonic()
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=self._timeout)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Not before it is connected: only what starts after an answer may be held against it.
            self._started = time.monotonic()
            self._socket.sendall(request)
        except OSError:
            self.close()

    def finish(self) -> Answer:
        status, body = NO_ANSWER, b""
        if self._socket is not None:
            try:
                status, body = self._receive(self._socket)
            except (OSError, ValueError):
                self.close()
        return Answer(status, body, self._started, time.monotonic())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, connection: socket.socket) -> tuple[int, bytes]:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more(connection)
        head = data[:end].decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:])
        body, length = data[end + 4:], int(fields.get("content-length", "0"))
        while len(body) < length:
            body += self._more(connection)
        if fields.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), body

    @staticmethod
    def _more(connection: socket.socket) -> bytes:
        data = connection.recv(65_536)
        if not data:
            raise ConnectionError("the connection was closed")
        return data

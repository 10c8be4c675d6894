"""An HTTP client with one connection that it leaves open, which never raises: no response is a result too."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from harness.connection import Connection
from harness.http_client import Response

# There was no response: whether the request was decided is unknown.
NO_RESPONSE = 0
# What a gateway says of the request that it forwards to the gate.
_GATEWAY = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n"


@dataclass(frozen=True)
class TimedResponse(Response):
    """A response with the readings of this process's monotonic clock around it."""

    # Before the first byte of the request was sent, and after the last one of the response was received.
    started: float
    ended: float

    @property
    def elapsed(self) -> float:
        return self.ended - self.started


class Client:
    """Sends one request at a time to one port of 127.0.0.1."""

    def __init__(self, port: int, timeout: float = 15):
        self._port = port
        self._timeout = timeout
        self._connection: Connection | None = None
        self._started = 0.0

    def get(self, key: str | None = None, path: str = "/api/v1/key") -> TimedResponse:
        self.begin("GET", path, key)
        return self.finish()

    def get_gate(self, key: str) -> TimedResponse:
        """Sends a request as a gateway does; the port must be that of a gate."""
        self.begin("GET", "/gate/things", key, _GATEWAY)
        return self.finish()

    def use_often(self, key: str, times: int) -> None:
        """Uses a key through a gate, many requests on the way together: a node then reserves many at a time for it."""
        request = f"GET /gate/things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n{_GATEWAY}\r\n"
        with Connection.to_port(self._port, self._timeout) as connection:
            # Not more than both sides take in without reading.
            for count in [100] * (times // 100):
                connection.send(request.encode() * count)
                for _ in range(count):
                    connection.response()

    def regenerate(self, key: str, idempotency_key: str) -> TimedResponse:
        headers = f"Idempotency-Key: {idempotency_key}\r\nContent-Length: 0\r\n"
        self.begin("POST", "/api/v1/key/regenerate", key, headers)
        return self.finish()

    def begin(self, method: str, path: str, key: str | None, headers: str = "") -> None:
        """Sends a request whose response `finish` awaits."""
        bearer = f"Authorization: Bearer {key}\r\n" if key else ""
        request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}{headers}\r\n".encode()
        self._started = time.monotonic()
        try:
            if self._connection is None:
                connection = socket.create_connection(("127.0.0.1", self._port), timeout=self._timeout)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connection = Connection(connection)
            # Not before it is connected: only what starts after a response may be held against it.
            self._started = time.monotonic()
            self._connection.send(request)
        except OSError:
            self.close()

    def finish(self) -> TimedResponse:
        status, headers, body = NO_RESPONSE, [], b""
        if self._connection is not None:
            try:
                response = self._connection.response()
                status, headers, body = response.status, response.headers, response.body
                if response.values("connection") == ["close"]:
                    self.close()
            except (OSError, ValueError):
                self.close()
        return TimedResponse(status, headers, body, self._started, time.monotonic())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

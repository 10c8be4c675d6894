"""A client that sends exactly the bytes that a test wants, over TLS."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from harness.connection import Connection, request_head
from harness.http_client import Headers, Response


class Client:
    """Speaks TLS to a gateway on 127.0.0.1, from an address that nobody trusts."""

    def __init__(self, port: int, certificate: Path, source: str):
        self._port = port
        self._source = source
        self._tls = ssl.create_default_context(cafile=str(certificate))

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self._port), timeout=30, source_address=(self._source, 0))
        # Otherwise the request waits 40 ms until the gateway has acknowledged the end of the handshake.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return self._tls.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def send_bytes(self, request: bytes, method: str = "GET") -> Response:
        with Connection(self.connect()) as connection:
            return connection.round_trip(request, is_head=method == "HEAD")

    def send(
        self, method: str = "GET", target: str = "/things", key: str | None = None, headers: Headers | None = None,
        body: bytes = b"", connection: str = "close",
    ) -> Response:
        """One request on a connection of its own. What is in `headers` is sent as it is, and first."""
        sent = [*(headers or []), ("Host", "localhost"), ("Connection", connection)]
        if key is not None:
            sent.append(("Authorization", f"Bearer {key}"))
        if body:
            sent.append(("Content-Length", str(len(body))))
        return self.send_bytes(request_head(method, target, sent) + body, method)

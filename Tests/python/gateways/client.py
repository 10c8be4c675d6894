"""A client that sends exactly the bytes that a test wants, over TLS, and takes the answer apart."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

Fields = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. Fields are a list, with their names in lower case."""

    status: int
    fields: Fields
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    def values(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each == name]

    def value(self, name: str) -> str:
        """The value of a field that must stand exactly once."""
        values = self.values(name)
        assert len(values) == 1, f"{name}: {values} in {self.fields}"
        return values[0]


def exchange(connection: socket.socket, request: bytes, method: str = "GET") -> Answer:
    """Sends the bytes and reads one answer."""
    with connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            body = response.read()
            return Answer(response.status, [(name.lower(), value) for name, value in response.getheaders()], body)
        finally:
            response.close()


def head(method: str, target: str, fields: Fields) -> bytes:
    """The head of a request, with nothing added, mended or reordered."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class Client:
    """Speaks TLS to a gateway on 127.0.0.1, from an address that nobody trusts."""

    def __init__(self, port: int, certificate: Path, source: str):
        self._port = port
        self._source = source
        self._tls = ssl.create_default_context(cafile=str(certificate))

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self._port), timeout=30, source_address=(self._source, 0))
        try:
            return self._tls.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def send_bytes(self, request: bytes, method: str = "GET") -> Answer:
        return exchange(self.connect(), request, method)

    def send(
        self, method: str = "GET", target: str = "/things", key: str | None = None, fields: Fields | None = None,
        body: bytes = b"", connection: str = "close",
    ) -> Answer:
        """One request on a connection of its own. What is in `fields` is sent as it is, and first."""
        sent = [*(fields or []), ("Host", "localhost"), ("Connection", connection)]
        if key is not None:
            sent.append(("Authorization", f"Bearer {key}"))
        if body:
            sent.append(("Content-Length", str(len(body))))
        return self.send_bytes(head(method, target, sent) + body, method)

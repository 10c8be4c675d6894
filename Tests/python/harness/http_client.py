"""An HTTP response, and single requests on connections of their own."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Response:
    """An HTTP response. Headers are a list in their order, with names in lower case. Redirects are not followed."""

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def data(self) -> dict:
        """What a success of the API is about."""
        return self.json["data"]

    def values(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]

    def value(self, name: str) -> str:
        """The value of a header that must be there exactly once."""
        values = self.values(name)
        assert len(values) == 1, f"{name}: {values} in {self.headers}"
        return values[0]


def request(
    address: str, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: str | None = None,
    timeout: float = 15, tls: ssl.SSLContext | None = None,
) -> Response:
    """One request with these headers to `host:port`, over TLS where it is given. Raises OSError or http.client.HTTPException without a response."""
    if tls:
        connection = http.client.HTTPSConnection(address, timeout=timeout, context=tls)
    else:
        connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        received = [(name.lower(), value) for name, value in response.getheaders()]
        return Response(response.status, received, response.read())
    finally:
        connection.close()

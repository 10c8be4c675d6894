"""Something that is measured, and one request to it: it must respond as it should before it is measured."""

import dataclasses
import http.client

from harness.http_client import Response, request
from harness.waiting import Failure

from .processes import Process

# Keep-alive connections on which a server gets requests.
CONNECTIONS = 32


def send(port: int, path: str, authorization: str | None = None, headers: dict[str, str] | None = None) -> Response:
    named = {"Authorization": authorization} if authorization else {}
    try:
        return request(f"127.0.0.1:{port}", path, headers={**named, **(headers or {})}, timeout=20)
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"GET http://127.0.0.1:{port}{path}: {error!r}") from None


@dataclasses.dataclass
class Subject:
    """Something that is measured: a request, and the response that it must get."""

    name: str
    title: str
    process: Process
    port: int
    path: str
    authorization: str | None
    body: str
    # What a key that nobody has must be answered; None where no key is needed.
    refusal: tuple[str, int] | None
    # Share of a round's time: peers that are much slower are distinguished sooner.
    share: float = 1.0
    # Headers beside the key.
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    # A script for wrk that makes the requests, where one key is not enough.
    script: str | None = None
    connections: int = CONNECTIONS

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def check(self) -> Response:
        """Fails unless the request is answered as it should be and one with an unknown key is refused."""
        response = send(self.port, self.path, self.authorization, headers=self.headers)
        if response.status != 200 or self.body not in response.text:
            raise Failure(f"{self.name} answers {response.status} {response.text[:80]!r}, not 200 with {self.body!r}")
        if self.refusal:
            unknown, status = self.refusal
            refused = send(self.port, self.path, unknown, headers=self.headers)
            if refused.status != status:
                raise Failure(f"{self.name} answers {refused.status} to an unknown key, not {status}")
            missing = send(self.port, self.path, headers=self.headers)
            if missing.status not in (401, 403):
                raise Failure(f"{self.name} answers {missing.status} to a request without a key")
        return response

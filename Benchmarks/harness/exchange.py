"""One request and its answer, to see that a server answers what it should before it is measured."""

import dataclasses
import http.client

from .processes import Failure

# Keep-alive connections on which a server is asked.
CONNECTIONS = 32


@dataclasses.dataclass
class Answer:
    status: int
    fields: list[tuple[str, str]]
    body: str


def ask(port: int, path: str, authorization: str | None = None, method: str = "GET", body: str | None = None,
        fields: dict[str, str] | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        named = {"Authorization": authorization} if authorization else {}
        connection.request(method, path, body=body, headers={**named, **(fields or {})})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{method} http://127.0.0.1:{port}{path}: {error!r}") from None
    finally:
        connection.close()


@dataclasses.dataclass
class Subject:
    """Something that is measured: a request, and what it must answer."""

    name: str
    title: str
    process: object
    port: int
    path: str
    authorization: str | None
    body: str
    # What a key that nobody has must be answered; nothing where no key is asked for.
    refusal: tuple[str, int] | None
    # Share of a round's time: peers that are much slower are told apart sooner.
    share: float = 1.0
    # Header fields beside the key.
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    # A script for wrk that makes the requests, where one key is not enough.
    script: str | None = None
    connections: int = CONNECTIONS

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def check(self) -> Answer:
        """Fails unless the request is answered as it should be and one with an unknown key is refused."""
        answer = ask(self.port, self.path, self.authorization, fields=self.fields)
        if answer.status != 200 or self.body not in answer.body:
            raise Failure(f"{self.name} answers {answer.status} {answer.body[:80]!r}, not 200 with {self.body!r}")
        if self.refusal:
            unknown, status = self.refusal
            refused = ask(self.port, self.path, unknown, fields=self.fields)
            if refused.status != status:
                raise Failure(f"{self.name} answers {refused.status} to an unknown key, not {status}")
            missing = ask(self.port, self.path, fields=self.fields)
            if missing.status not in (401, 403):
                raise Failure(f"{self.name} answers {missing.status} to a request without a key")
        return answer

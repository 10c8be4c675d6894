"""Who the client is, for an ASGI application behind a gateway that asks Keybearer. Standard library only.

    application = KeybearerIdentity(application)

Requests that Keybearer allowed have an Identity in scope["keybearer.identity"]. Others are refused with 401, or have
None there with required=False: where the product has tokens of its own, or paths that need no key.

The application must listen where only the gateway reaches it: whoever reaches it directly can claim any identity.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

REFUSAL = b'{"ok":false,"error":"UNAUTHORIZED","message":"The Secret Key is missing or not valid."}'


@dataclass(frozen=True)
class Identity:
    """Whose key the request had. What Keybearer does not know is None: a workspace, if the request named none."""

    user: str
    email: str | None
    email_verified: bool
    workspace: str | None
    role: str | None
    plan: str | None
    key_prefix: str

    @classmethod
    def of(cls, headers: list[tuple[bytes, bytes]]) -> "Identity | None":
        """Reads the headers; None unless each is there exactly once."""
        names = (b"user", b"email", b"email-verified", b"workspace", b"role", b"plan", b"key-prefix")
        values = [[value for name, value in headers if name.lower() == b"x-keybearer-" + each] for each in names]
        if not all(len(found) == 1 and found[0] for found in values):
            return None
        # Keybearer writes what may not be in a header as %XX, and "-" for nothing.
        user, email, verified, *rest = (
            None if value == b"-" else unquote(value.decode("latin-1")) for (value,) in values)
        return cls(user, email, verified == "true", *rest)


class KeybearerIdentity:
    """The middleware. The realm is the product's name, in ASCII."""

    def __init__(self, application: Callable, required: bool = True, realm: str = "API"):
        self._application = application
        self._required = required
        self._challenge = f'Bearer realm="{realm}"'.encode("ascii")

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._application(scope, receive, send)
        identity = Identity.of(scope["headers"])
        if identity is None and self._required:
            return await self._refuse(scope, send)
        request_id = next((value for name, value in scope["headers"] if name.lower() == b"x-request-id"), None)

        async def send_with_id(event: dict) -> None:
            if event["type"] == "http.response.start" and request_id:
                headers = list(event.get("headers", ()))
                if not any(name.lower() == b"x-request-id" for name, _ in headers):
                    event = {**event, "headers": [*headers, (b"x-request-id", request_id)]}
            await send(event)

        await self._application({**scope, "keybearer.identity": identity}, receive, send_with_id)

    async def _refuse(self, scope: dict, send: Callable) -> None:
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        headers = [(b"content-type", b"application/json"), (b"www-authenticate", self._challenge)]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": REFUSAL})

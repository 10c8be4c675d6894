"""Who the client is, for a WSGI application behind a gateway that asks Keybearer. Standard library only.

    application = KeybearerIdentity(application)

Requests that Keybearer allowed have an Identity in environ["keybearer.identity"]. Others are refused with 401, or have
None there with required=False: where the product has tokens of its own, or paths that need no key.

The application must listen where only the gateway reaches it: whoever reaches it directly can claim any identity.
"""

from collections.abc import Callable, Iterable
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
    def of(cls, header: Callable[[str], str | None]) -> "Identity | None":
        """Reads the headers by their names; None unless all are there."""
        names = ("User", "Email", "Email-Verified", "Workspace", "Role", "Plan", "Key-Prefix")
        values = [header(f"X-Keybearer-{name}") for name in names]
        if not all(values):
            return None
        # Keybearer writes what may not be in a header as %XX, and "-" for nothing.
        user, email, verified, *rest = (None if value == "-" else unquote(value) for value in values)
        return cls(user, email, verified == "true", *rest)


class KeybearerIdentity:
    """The middleware. The realm is the product's name, in ASCII."""

    def __init__(self, application: Callable, required: bool = True, realm: str = "API"):
        self._application = application
        self._required = required
        self._realm = realm

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        identity = Identity.of(lambda name: environ.get("HTTP_" + name.upper().replace("-", "_")))
        if identity is None and self._required:
            headers = [("Content-Type", "application/json"), ("WWW-Authenticate", f'Bearer realm="{self._realm}"')]
            start_response("401 Unauthorized", headers)
            return [REFUSAL]
        environ["keybearer.identity"] = identity
        request_id = environ.get("HTTP_X_REQUEST_ID")

        def start(status: str, headers: list, *error: object) -> Callable:
            if request_id and not any(name.lower() == "x-request-id" for name, _ in headers):
                headers = [*headers, ("X-Request-Id", request_id)]
            return start_response(status, headers, *error)

        return self._application(environ, start)

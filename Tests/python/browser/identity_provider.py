"""OpenID Connect providers: a real one that keeps to the standard, and a hostile one that says what a test lets it say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from browser.dashboard_server import DashboardServer
from harness.http_client import Response, request

CLIENT_ID = "keybearer"
CLIENT_SECRET = "a secret of the client"
NAME = "Example"
COOKIE = "__Host-keybearer-sign-in"


@contextmanager
def standard_provider() -> Iterator[str]:
    """oidc-provider-mock, which is Authlib's provider; its issuer is another site than the dashboard's localhost."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import oidc_provider_mock
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://127.0.0.1:{server.server_port}"


def set_user(issuer: str, subject: str, **claims: object) -> None:
    """What the standard provider says of a person."""
    address = urlsplit(issuer).netloc
    response = request(
        address, f"/users/{subject}", "PUT", {"Content-Type": "application/json"}, json.dumps(claims))
    assert response.status == 204, response.text


def serve_with_provider(directory: Path, issuer: str, *options: str) -> DashboardServer:
    """`keybearer serve` on the data of a demonstration, with sign-in by a provider. Ada's address is verified."""
    demonstration = DashboardServer.demo(directory)
    demonstration.stop()
    server = DashboardServer(directory, directory / "serve-log.jsonl", ())
    server.ada, server.ada_key = demonstration.ada, demonstration.ada_key
    server.settings = [*provider_settings(directory, issuer, server.origin), *options]
    server.start()
    return server


def provider_settings(directory: Path, issuer: str, origin: str) -> list[str]:
    """The settings of sign-in with a provider."""
    secret = directory / "client-secret"
    secret.write_text(CLIENT_SECRET + "\n")
    secret.chmod(0o600)
    return [
        "--public-url", origin, "--oidc-issuer", issuer, "--oidc-client-id", CLIENT_ID,
        "--oidc-client-secret-file", str(secret), "--oidc-name", NAME,
    ]


def import_user(server: DashboardServer, name: str, full_name: str) -> None:
    """Makes an account without a password, whose address is verified."""
    file = server.directory / "users.csv"
    file.write_text(f"email,name,externalId\n{name}@example.com,{full_name},{name}\n")
    server.commands.run("user", "import", str(file))


def identities(server: DashboardServer) -> list[tuple[str, str]]:
    """Who has which identity: subject and e-mail address."""
    database = sqlite3.connect(server.database, timeout=15)
    try:
        return database.execute(
            "SELECT subject, email FROM identities JOIN users ON users.id = user_id ORDER BY 1, 2").fetchall()
    finally:
        database.close()


class HostileProvider:
    """A provider with every part in the hands of a test. It checks what the client sends as a strict one does."""

    def __init__(self) -> None:
        self.rsa, self.ec = RSAKey.generate_key(2048), ECKey.generate_key("P-256")
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._token(self)

            def log_message(self, *arguments: object) -> None:
                """Writes nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # What a test cuts off is no fault of the provider's.
        self._server.handle_error = lambda *arguments: None
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.reset()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        """Says the truth again."""
        self.claims: dict[str, object] = {}
        self.header: dict[str, object] = {}
        self.key, self.algorithm, self.key_id = self.rsa, "RS256", "one"
        self.published = [("one", self.rsa), ("ec", self.ec)]
        self.metadata: dict[str, object] = {}
        self.user_info: dict[str, object] = {}
        # Makes a token of a payload, where it is not signed as it should be.
        self.forge = None
        # Writes the response to a request, where it is none as it should be: by path.
        self.responses: dict[str, object] = {}
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.released = threading.Event()

    def stop(self) -> None:
        """Refuses connections from then on."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _document(self) -> dict[str, object]:
        return {
            "issuer": self.issuer, "authorization_endpoint": self.issuer + "/authorize",
            "token_endpoint": self.issuer + "/token", "jwks_uri": self.issuer + "/keys",
            "userinfo_endpoint": self.issuer + "/userinfo", **self.metadata,
        }

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        self.asked.append(path)
        if path in self.responses:
            self.responses[path](handler)
        elif path == "/.well-known/openid-configuration":
            send(handler, 200, self._document())
        elif path == "/keys":
            keys = [{**key.as_dict(private=False), "kid": name, "use": "sig"} for name, key in self.published]
            send(handler, 200, {"keys": [*keys, {"kty": "new", "kid": "new"}]})
        elif path == "/authorize":
            back = self.authorize(self.issuer + handler.path)
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.last_query["redirect_uri"]))
            send(handler, 303, b"", Location=origin + back)
        elif path == "/userinfo":
            assert handler.headers["Authorization"] == "Bearer an-access-token"
            send(handler, 200, self.user_info)
        else:
            send(handler, 404, {})

    def authorize(self, location: str) -> str:
        """What the provider's page does, without asking anybody; returns the path that the browser is sent back to."""
        assert location.startswith(self.issuer + "/authorize?")
        query = dict(parse_qsl(urlsplit(location).query, strict_parsing=True))
        assert query["response_type"] == "code" and query["client_id"] == CLIENT_ID
        assert query["scope"].split() == ["openid", "email", "profile"]
        assert query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43
        assert len(query["state"]) == 43 and len(query["nonce"]) == 43
        code = secrets.token_urlsafe(24)
        self._codes[code] = query
        self.last_query = query
        return f"{urlsplit(query['redirect_uri']).path}?code={code}&state={query['state']}"

    def _token(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
        self.forms.append(form)
        if handler.path in self.responses:
            self.responses[handler.path](handler)
            return
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '%20')}".encode()).decode()
        query = self._codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        challenge = encoded(hashlib.sha256(verifier.encode()).digest())
        is_good = (
            handler.headers["Authorization"] == f"Basic {pair}" and form["grant_type"] == "authorization_code"
            and query is not None and form["redirect_uri"] == query["redirect_uri"]
            and challenge == query["code_challenge"]
        )
        if not is_good:
            send(handler, 400, {"error": "invalid_grant", "error_description": "the code is not good"})
            return
        send(handler, 200, {
            "access_token": "an-access-token", "token_type": "Bearer", "id_token": self.token(query["nonce"]),
        })

    def token(self, nonce: str) -> str:
        """An ID token, with what the test changes in it: None takes a claim away."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "ada", "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce,
            "auth_time": now, "email": "ada@example.com", "email_verified": True, "name": "Ada", **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.forge:
            return self.forge(claims)
        header = {"alg": self.algorithm, "kid": self.key_id, **self.header}
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])

    def unsigned(self, claims: dict[str, object]) -> str:
        """A token with the algorithm none."""
        return f"{part({'alg': 'none', 'kid': 'one'})}.{part(claims)}."

    def signed_with_secret(self, claims: dict[str, object]) -> str:
        """A token that the client's own secret signs."""
        return signed_by_secret(claims, CLIENT_SECRET.encode())

    def signed_with_public_key(self, claims: dict[str, object]) -> str:
        """A token whose secret is the public key, which anyone can fetch."""
        return signed_by_secret(claims, self.rsa.as_pem(private=False))

    def signed_with_another_key(self, claims: dict[str, object]) -> str:
        """A token by a key that calls itself the provider's."""
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048))

    def changed(self, claims: dict[str, object]) -> str:
        """A token whose claims were changed behind the signature."""
        header, _, signature = self.signed(claims).split(".")
        return f"{header}.{part({**claims, 'sub': 'eve'})}.{signature}"

    def signed(self, claims: dict[str, object]) -> str:
        """A token as it should be."""
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.rsa)


def signed_by_secret(claims: dict[str, object], secret: bytes) -> str:
    """A token with the algorithm HS256."""
    text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def part(members: dict[str, object]) -> str:
    """A JSON object as a part of a token."""
    return encoded(json.dumps(members).encode())


def encoded(content: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def send(handler: BaseHTTPRequestHandler, status: int, body: object, **headers: str) -> None:
    """A response in JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


class Browser:
    """The cookies of a browser, and where it comes from: each one from a network of its own."""

    _count = 0

    def __init__(self, server: DashboardServer, provider: HostileProvider):
        self.server = server
        self.provider = provider
        Browser._count += 1
        self._address = f"198.{18 + Browser._count // 250}.{Browser._count % 250}.1"
        self.cookies: dict[str, str] = {}

    def get(self, path: str, site: str = "same-origin") -> Response:
        return self._send("GET", path, {"Sec-Fetch-Site": site})

    def post(self, path: str, form: dict[str, str] | None = None) -> Response:
        return self._send("POST", path, {"Sec-Fetch-Site": "same-origin"}, form or {"from": "page"})

    def _send(self, method: str, path: str, headers: dict[str, str], form: dict[str, str] | None = None) -> Response:
        headers = {**headers, "X-Forwarded-For": self._address, "X-Forwarded-Proto": "https"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = self.server.request(method, path, headers, form)
        for cookie in response.values("set-cookie"):
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return response

    def begin(self, query: str = "") -> str:
        """Begins, and returns the path that the provider sends the browser back to."""
        response = self.get(f"/sign-in/oidc{query}")
        assert response.status == 303, response.text
        return self.provider.authorize(response.value("location"))

    def sign_in(self, query: str = "") -> Response:
        """To the provider and back."""
        return self.get(self.begin(query), site="cross-site")

    @property
    def is_signed_in(self) -> bool:
        return "__Host-keybearer" in self.cookies and self.get("/account").status == 200

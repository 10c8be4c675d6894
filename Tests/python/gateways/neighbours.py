"""Good clients and hostile ones, each in a thread, behind one proxy."""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from gateways.gate_server import CLIENT_ADDRESS, GateServer
from gateways.hostile import READ, Hostile, hostile_requests, leave
from gateways.proxies import Proxy
from harness.accounts import Account, Person
from harness.connection import Connection, request_head
from harness.dashboard_client import COOKIE, DashboardClient
from harness.http_client import Headers, Response

# Over all four proxies: at least 10,000 requests of good clients.
GOOD_REQUESTS = 2_500
GOOD_CLIENTS = 5
HOSTILE_CLIENTS = 12
# How often a hostile client sends each of its requests.
HOSTILE_ROUNDS = 1
# How long a hostile client waits for a response that may never come.
HOSTILE_PATIENCE = 0.5
# What a proxy adds.
FORWARDED = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", CLIENT_ADDRESS)]


@dataclass(frozen=True)
class GoodUser:
    """An account with a session in the dashboard; `cookie` is what a browser sends of it."""

    account: Account
    cookie: str


@dataclass(frozen=True)
class Place:
    """A Keybearer that trusts the proxy in front of it, with accounts of its own."""

    keybearer: GateServer
    operator_token: str
    good: list[GoodUser]
    hostile: Account

    def identities(self) -> dict[str, set[bytes]]:
        """What may be in no response but the account's own, by account."""
        accounts = [*(person.account for person in self.good), self.hostile]
        return {each.id: {each.id.encode(), each.email.encode(), each.key.encode()} for each in accounts}


def sign_in(keybearer: GateServer, account: Account) -> str:
    """The cookie of a new session."""
    password = keybearer.commands.run("user", "set-password", account.email, "--generate-password").split()[-1]
    session = DashboardClient(keybearer.origin, dict(FORWARDED)).sign_in(Person("", account.email, password))
    return f"{COOKIE}={session}"


class ConnectionCount(threading.Thread):
    """Counts the connections that a port of this machine was given, by the ports of their other ends.

    It looks often, and finds ended ones too. It misses those that were opened and reset between two looks.
    """

    def __init__(self, port: int):
        super().__init__()
        self._port = f"{port:04X}"
        self._stop_requested = threading.Event()
        self._before = self._look()
        self.seen: set[str] = set()

    def _look(self) -> set[str]:
        """The connections that are open, and those that the kernel lists for a minute after their end."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        pairs = [[address.split(":")[1] for address in line.split()[1:3]] for line in lines]
        return {other for port, other in pairs if port == self._port and other != "0000"} | {
            port for port, other in pairs if other == self._port
        }

    def run(self) -> None:
        while not self._stop_requested.wait(0.02):
            self.seen |= self._look() - self._before

    def finish(self) -> int:
        self._stop_requested.set()
        self.join()
        return len(self.seen)


class GoodClient(threading.Thread):
    """Sends requests with its own key and its own session, and believes nothing but its own responses."""

    def __init__(self, place: Place, proxy: Proxy, number: int, are_alone: threading.Event):
        super().__init__()
        self._place, self._proxy, self._number, self._are_alone = place, proxy, number, are_alone
        self._person = place.good[number]
        own = self._person.account.id
        self._foreign = set().union(*(each for account, each in place.identities().items() if account != own))
        self.response_count = 0
        self.problems: list[str] = []

    def run(self) -> None:
        chance = random.Random(self._number)
        connection: Connection | None = None
        while len(self.problems) < 20 and (
            not self._are_alone.is_set() or self.response_count + len(self.problems) < GOOD_REQUESTS // GOOD_CLIENTS
        ):
            check = chance.choice([self.profile, self.workspace, self.change, self.introspection, self.account_page])
            try:
                # Open connections for the most part, and new ones.
                if connection is None or chance.random() < 0.05:
                    if connection is not None:
                        connection.close()
                        connection = None
                    connection = Connection(self._proxy.client.connect())
                check(connection)
                self.response_count += 1
            except Exception as problem:
                self.problems.append(f"{check.__name__}: {problem!r}")
                if connection is not None:
                    connection.close()
                    connection = None
        if connection is not None:
            connection.close()

    def _send(
        self, connection: Connection, status: int, method: str, target: str, headers: Headers | None = None,
        body: bytes = b"",
    ) -> Response:
        sent = [("Host", "localhost"), *(headers or [])]
        if body:
            sent.append(("Content-Length", str(len(body))))
        response = connection.round_trip(request_head(method, target, sent) + body)
        assert response.status == status, (response.status, response.headers, response.body[:300])
        assert not any(each in response.body for each in self._foreign), "the answer is another's"
        return response

    @property
    def _key(self) -> tuple[str, str]:
        return "Authorization", f"Bearer {self._person.account.key}"

    def profile(self, connection: Connection) -> None:
        data = self._send(connection, 200, "GET", "/api/v1/me", [self._key]).json["data"]
        account = self._person.account
        assert (data["id"], data["email"]) == (account.id, account.email)
        # What the proxy saw, and not the proxy.
        assert data["key"]["lastUsedIp"] == CLIENT_ADDRESS

    def workspace(self, connection: Connection) -> None:
        workspace = self._person.account.workspace
        data = self._send(connection, 200, "GET", f"/api/v1/workspaces/{workspace}", [self._key]).json["data"]
        assert data["id"] == workspace

    def change(self, connection: Connection) -> None:
        """A body that is read to its end and refused by a name that is in it."""
        name = f"n{self._number}x{self.response_count}"
        headers = [self._key, ("Content-Type", "application/json")]
        refused = self._send(connection, 422, "POST", "/api/v1/key/revoke", headers, f'{{"{name}":1}}'.encode()).json
        assert name in str(refused), refused

    def introspection(self, connection: Connection) -> None:
        headers = [
            ("Authorization", f"Bearer {self._place.operator_token}"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]
        body = urlencode({"token": self._person.account.key}).encode()
        introspected = self._send(connection, 200, "POST", "/operator/v1/introspect", headers, body).json
        assert (introspected["active"], introspected["sub"]) == (True, self._person.account.id)

    def account_page(self, connection: Connection) -> None:
        page = self._send(connection, 200, "GET", "/account", [("Cookie", self._person.cookie)])
        assert self._person.account.email.encode() in page.body


class HostileClient(threading.Thread):
    """Sends what nobody should, in an order of its own."""

    def __init__(self, place: Place, proxy: Proxy, number: int):
        super().__init__()
        self._proxy, self._chance = proxy, random.Random(number)
        own = place.hostile.id
        self._foreign = set().union(*(each for account, each in place.identities().items() if account != own))
        self._requests = hostile_requests(place.hostile)
        self.sent: Counter[str] = Counter()
        self.problems: list[str] = []

    def run(self) -> None:
        for _ in range(HOSTILE_ROUNDS):
            for each in self._chance.sample(self._requests, len(self._requests)):
                received = self._misbehave(each)
                if any(foreign in received for foreign in self._foreign):
                    self.problems.append(f"{each.name}: {received[:500]!r}")

    def _misbehave(self, each: Hostile) -> bytes:
        """Sends it, and returns all that came back."""
        try:
            connection = self._proxy.client.connect()
        except OSError as problem:
            self.problems.append(f"{each.name}: not connected: {problem!r}")
            return b""
        connection.settimeout(HOSTILE_PATIENCE)
        received = b""
        try:
            try:
                connection.sendall(each.data)
            except (ConnectionError, ssl.SSLError):
                # The other end had seen enough of it.
                pass
            self.sent[each.name] += 1
            if each.leaves != READ:
                # Sometimes immediately, sometimes when the request is on its way.
                time.sleep(self._chance.choice([0, 0.002, 0.02]))
                return received
            while more := connection.recv(1 << 16):
                received += more
                if b" 100 Continue\r\n\r\n" in received and each.body and received.count(b"HTTP/1.1") == 1:
                    connection.sendall(each.body)
                elif b"\r\n\r\n" in received and b"HTTP/1.1 100" not in received:
                    connection.settimeout(0.02)
            return received
        except OSError:
            # Time is up, or the other end has ended the connection.
            return received
        finally:
            leave(connection, each.leaves)

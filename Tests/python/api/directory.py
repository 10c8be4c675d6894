"""Users, workspaces and plans that are there whenever a request names them, whatever the requests before it did."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

from harness.http_client import Response, request
from harness.waiting import Failure, eventually

PERSON = "person"
MEMBER = "member"
LEAVER = "leaver"
SPACE = "space"
CATALOGUE_PLAN = "target"


class Directory:
    """Makes what is missing over the operator API. What requests change, rename, disable or delete is made again; none
    of it is an account whose key or token the run uses."""

    def __init__(self, address: str, token: Callable[[], str]):
        self._address = address
        self._token = token
        self._numbers = itertools.count(1)
        self._webhooks: dict[str | None, tuple[str, str]] = {}

    def call(self, method: str, path: str, body: dict | None = None) -> Response:
        """One request of the operator API."""
        headers = {"Authorization": f"Bearer {self._token()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        text = None if body is None else json.dumps(body)
        return request(self._address, f"/operator/v1{path}", method, headers, text)

    def number(self) -> int:
        """Another one each time."""
        return next(self._numbers)

    def user(self, external_id: str = PERSON) -> str:
        """How a path names a user who is there."""
        path = f"/users/ext:{external_id}"
        found = self.call("GET", path)
        if found.status == 404:
            email = f"{external_id}{self.number()}@example.com"
            self._make("POST", "/users", {"email": email, "name": "Person", "externalId": external_id})
        elif found.data["status"] == "disabled":
            self._make("POST", f"{path}/enable")
        return f"ext:{external_id}"

    def workspace(self) -> str:
        """How a path names a workspace that is there, with its Owner."""
        if self.call("GET", f"/workspaces/ext:{SPACE}").status == 404:
            self._make("POST", "/workspaces", {"name": "Space", "owner": self.user(), "externalId": SPACE})
        return f"ext:{SPACE}"

    def member(self) -> str:
        """How a path names a member of that workspace who is not its only Owner."""
        user = self.user(MEMBER)
        self._make("PUT", f"/workspaces/{self.workspace()}/members/{user}", {"role": "member"})
        return user

    def plan(self) -> str:
        """The id of a plan that no workspace starts on."""
        body = {"name": "Target", "features": ["api_webhooks"], "hourlyLimit": 1_000, "position": 1_000}
        if self.call("GET", f"/plans/{CATALOGUE_PLAN}").status == 404:
            self._make("PUT", f"/plans/{CATALOGUE_PLAN}", body)
        return CATALOGUE_PLAN

    def webhook(self, workspace: str | None = None) -> tuple[str, str]:
        """A webhook that is enabled, and a message that was queued for it; of the operator's where no workspace is named."""
        made = self._webhooks.get(workspace)
        if made is None or self.call("GET", f"/webhooks/{made[0]}").status == 404:
            body = {"name": "Hooks", "url": "https://1.1.1.1/hooks", "events": ["*"], "workspace": workspace}
            webhook = self._make("POST", "/webhooks", body).data["id"]
            message = self._make("POST", f"/webhooks/{webhook}/test").data["id"]
            made = self._webhooks[workspace] = (webhook, message)
            eventually(
                lambda: self.call("GET", f"/webhooks/{webhook}/deliveries/{message}").status == 200,
                "the message was not queued")
        self._make("PATCH", f"/webhooks/{made[0]}", {"enabled": True, "url": "https://1.1.1.1/hooks"})
        return made

    def make_room_for_webhooks(self) -> None:
        """There can be twenty."""
        for path in ("/webhooks", f"/webhooks?workspace={self.workspace()}"):
            for webhook in self.call("GET", path).data[:-2][:18]:
                if (webhook["id"] not in {each[0] for each in self._webhooks.values()}):
                    self.call("DELETE", f"/webhooks/{webhook['id']}")

    def event_type(self) -> str:
        """A kind of event that is in the catalogue."""
        self._make("PUT", "/event-types/order.paid", {"description": "Paid."})
        return "order.paid"

    def key(self) -> str:
        """The Secret Key of a user, as it is now."""
        return self._make("POST", f"/users/{self.user()}/key/reveal").data["key"]

    def version(self, names: dict[str, str]) -> str | None:
        """The version of the workspace or the user that a path names; None where there is none."""
        kind = next((kind for kind in ("workspace", "user") if kind in names), "webhook")
        if kind == "webhook":
            return str(self.call("GET", f"/webhooks/{names['webhookID']}").data["version"])
        found = self.call("GET", f"/{kind}s/{names[kind]}")
        return str(found.data["version"]) if found.status == 200 else None

    def cursor(self, path: str, order: str | None) -> str | None:
        """Where the second part of a list begins; None where it has one part, or is not there.

        - order: that of the list, where it has one.
        """
        query = "limit=1" + (f"&order={order}" if order else "")
        found = self.call("GET", f"{path.removeprefix('/operator/v1')}?{query}")
        return found.json["meta"]["nextCursor"] if found.status == 200 else None

    def _make(self, method: str, path: str, body: dict | None = None) -> Response:
        response = self.call(method, path, body)
        if response.status >= 300:
            raise Failure(f"{method} {path}: {response.status} {response.text}")
        return response

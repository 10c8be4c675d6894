"""The dashboard's forms over plain HTTP, as a page of the server sends them."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from harness.accounts import Person
from harness.http_client import Response, request
from harness.waiting import Failure

COOKIE = "__Host-keybearer"


class DashboardClient:
    """Signs up, signs in and sends forms."""

    def __init__(self, origin: str, headers: dict[str, str] | None = None):
        """- headers: what every request carries, as behind a proxy."""
        self.origin = origin
        # Where requests go, and what each carries.
        self.address = origin.removeprefix("http://")
        self.headers = headers or {}
        self.cookie_name = COOKIE

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, form: dict[str, str] | None = None,
        cookie: str | None = None,
    ) -> Response:
        """One request with exactly these headers, on a connection of its own."""
        headers = {**self.headers, **(headers or {})}
        body = None
        if form is not None:
            body = urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if cookie is not None:
            headers["Cookie"] = f"{self.cookie_name}={cookie}"
        return request(self.address, path, method, headers, body)

    def post(self, path: str, form: dict[str, str], cookie: str | None = None, **headers: str) -> Response:
        """A form as a page of the server sends it."""
        return self.request("POST", path, {"Sec-Fetch-Site": "same-origin", **headers}, form, cookie)

    def call_api(self, key: str) -> Response:
        """The documented call, with the key as a Bearer token."""
        return self.request("GET", "/api/v1/me", {"Authorization": f"Bearer {key}"})

    def sign_up(self, name: str, email: str | None = None) -> Person:
        """Makes an account."""
        person = Person(name, email or f"{name.lower()}@example.com", "a long enough secret")
        response = self.post("/sign-up", {"name": name, "email": person.email, "password": person.password})
        _expect_redirect(response)
        return person

    def sign_in(self, person: Person) -> str:
        """Starts a session and returns the value of its cookie."""
        response = self.post("/sign-in", {"email": person.email, "password": person.password})
        _expect_redirect(response)
        return re.match(rf"{self.cookie_name}=([^;]+)", response.value("set-cookie"))[1]


def _expect_redirect(response: Response) -> None:
    if response.status != 303:
        raise Failure(f"a form got {response.status}: {response.text}")

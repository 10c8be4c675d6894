"""The product that makes portal links: its pages, and its backend, which drives Keybearer over the operator API."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Page, expect

from browser.dashboard_server import DashboardServer
from harness.http_client import request

SETTINGS = "/settings"


class ProductSite:
    """Answers every path with a page that says "Product", and keeps what was asked for."""

    def __init__(self) -> None:
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers.get("Referer")))
                body = b"<!doctype html><html lang=en><title>Product</title><link rel=icon href=data:,><h1>Product</h1>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Writes nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        # Another host than the dashboard's localhost, to a browser.
        self.return_url = f"http://127.0.0.1:{self._server.server_port}{SETTINGS}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def expect_led_back(self, page: Page, query: str = "?reason=session_expired") -> None:
        """Waits until the browser is at the return URL."""
        expect(page).to_have_url(self.return_url + query)
        expect(page.get_by_role("heading", name="Product")).to_be_visible()


class Backend:
    """What the product's backend does, with an operator token of its own."""

    def __init__(self, server: DashboardServer, site: ProductSite):
        self.server = server
        self.site = site
        scopes = [
            part for scope in ("users:read", "users:write", "workspaces:write", "keys:reveal", "portal", "webhooks:write")
            for part in ("--scope", scope)
        ]
        created = server.commands.json("operator-token", "create", "product", *scopes)
        self._token, self._token_id = created["token"], created["id"]

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """One request of the operator API; returns what is in `data`."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        headers |= self.server.headers
        response = request(
            self.server.address, f"/operator/v1{path}", method, headers, json.dumps(body) if body else None,
            tls=self.server.tls,
        )
        assert response.status < 300, f"{method} {path}: {response.status} {response.text}"
        return response.data if response.body else {}

    def add_user(self, external_id: str = "u1", name: str = "Uma", email: str = "uma@example.com") -> str:
        """A user without a password whose workspace includes the API; returns the Secret Key."""
        user = self.call("PUT", f"/users/ext:{external_id}", {"email": email, "name": name})
        self.call("PUT", f"/workspaces/{user['workspaces'][0]['id']}/plan", {"plan": "pro"})
        return self.call("POST", f"/users/ext:{external_id}/key/reveal")["key"]

    def link(self, external_id: str = "u1", has_return_url: bool = True, **members: object) -> str:
        """The URL of a new portal link."""
        if has_return_url:
            members["returnUrl"] = self.site.return_url
        return self.call("POST", "/portal-links", {"user": f"ext:{external_id}", **members})["url"]

    def revoke_token(self) -> None:
        """Takes the backend's own token away."""
        self.server.commands.run("operator-token", "revoke", self._token_id)

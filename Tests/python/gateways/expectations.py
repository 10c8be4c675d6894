"""What every gateway must make of the gate's responses."""

from __future__ import annotations

import re

from gateways.upstream import Received, Upstream
from harness.accounts import KEY_PATTERN, Account
from harness.http_client import Response

RATE_LIMIT_HEADERS = (
    "ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"
)


def expect_envelope(response: Response, status: int, error: str) -> None:
    """A refusal of the contract: the status, the envelope, and nothing that a cache may keep."""
    assert response.status == status, (response.status, response.headers, response.body)
    assert response.value("content-type").startswith("application/json")
    envelope = response.json
    assert (envelope["ok"], envelope["error"]) == (False, error)
    assert envelope["message"]
    assert response.value("cache-control") == "no-store"
    assert not KEY_PATTERN.search(response.body.decode())


def expect_denied(response: Response, upstream: Upstream, status: int, error: str) -> None:
    """The refusal, as the gate made it; and the API never heard of the request."""
    expect_envelope(response, status, error)
    assert upstream.take() == []
    assert response.value("x-keybearer-reason") == error
    assert response.value("x-request-id") == response.json["requestId"]
    if status == 401:
        assert response.value("www-authenticate").startswith('Bearer realm="')
    else:
        assert response.values("www-authenticate") == []


def expect_rate_limit(response: Response, limit: int) -> int:
    """The five headers of the rate limit, each once and agreeing; returns what is left."""
    headers = {name: response.value(name) for name in RATE_LIMIT_HEADERS}
    assert headers["ratelimit-policy"] == f'"hourly";q={limit};w=3600'
    found = re.fullmatch(r'"hourly";r=(\d+);t=(\d+)', headers["ratelimit"])
    assert found, headers
    assert headers["x-ratelimit-limit"] == str(limit)
    assert headers["x-ratelimit-remaining"] == found.group(1)
    assert re.fullmatch(r"\d{10}", headers["x-ratelimit-reset"])
    return int(found.group(1))


def expect_identity(received: Received, account: Account, has_workspace: bool = False) -> None:
    """Exactly the six headers of the gate, each once, whatever a lax server takes for them; and no key."""
    assert received.identity() == sorted(account.identity(has_workspace).items())
    assert received.values("authorization") == []
    assert not any(KEY_PATTERN.search(value) for _, value in received.headers)

"""What every gateway must make of the gate's answers."""

from __future__ import annotations

import re

from gateways.client import Answer
from gateways.keybearer_process import KEY_SHAPE, Account
from gateways.upstream import Received, Upstream

RATE_LIMIT_FIELDS = (
    "ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"
)


def expect_envelope(answer: Answer, status: int, error: str) -> None:
    """A refusal of the contract: the status, the envelope, and nothing that a cache may keep."""
    assert answer.status == status, (answer.status, answer.fields, answer.body)
    assert answer.value("content-type").startswith("application/json")
    envelope = answer.json
    assert (envelope["ok"], envelope["error"]) == (False, error)
    assert envelope["message"]
    assert answer.value("cache-control") == "no-store"
    assert not KEY_SHAPE.search(answer.body.decode())


def expect_denied(answer: Answer, upstream: Upstream, status: int, error: str) -> None:
    """The refusal, as the gate made it; and the API never heard of the request."""
    expect_envelope(answer, status, error)
    assert upstream.take() == []
    assert answer.value("x-keybearer-reason") == error
    assert answer.value("x-request-id") == answer.json["requestId"]
    if status == 401:
        assert answer.value("www-authenticate").startswith('Bearer realm="')
    else:
        assert answer.values("www-authenticate") == []


def expect_rate_limit(answer: Answer, limit: int) -> int:
    """The five fields of the hour, each once and agreeing; answers what is left."""
    fields = {name: answer.value(name) for name in RATE_LIMIT_FIELDS}
    assert fields["ratelimit-policy"] == f'"hourly";q={limit};w=3600'
    found = re.fullmatch(r'"hourly";r=(\d+);t=(\d+)', fields["ratelimit"])
    assert found, fields
    assert fields["x-ratelimit-limit"] == str(limit)
    assert fields["x-ratelimit-remaining"] == found.group(1)
    assert re.fullmatch(r"\d{10}", fields["x-ratelimit-reset"])
    return int(found.group(1))


def expect_identity(received: Received, account: Account, named: bool = False) -> None:
    """Exactly the six fields of the gate, each once, whatever a lax server takes for them; and no key."""
    assert received.identity() == sorted(account.identity(named).items())
    assert received.values("authorization") == []
    assert not any(KEY_SHAPE.search(value) for _, value in received.fields)

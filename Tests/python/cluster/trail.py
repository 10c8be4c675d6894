"""What a client knows about the keys of one account, held against what the nodes answered.

All times are readings of this process's monotonic clock. Two rules are checked:

- A request that starts after the response to a regenerate was received does not pass with the key before it.
- A key is not refused before a change of it was requested: 401 says that it was replaced, and that would be untrue.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from cluster.client import NO_RESPONSE, TimedResponse

UNAUTHORIZED = 401
UNAVAILABLE = 503
# What a live key of an account with the API is answered.
_PASSED = (200, 429)


class Violation(AssertionError):
    """A guarantee did not hold."""


@dataclass
class _Key:
    token: str
    # When a change of it was first requested, and when the first response said that it had been made.
    requested_at: float | None = None
    replaced_at: float | None = None
    # The latest start of a request that passed, by node, and the earliest end of one that was refused.
    passed: dict[str, float] = field(default_factory=dict)
    refused: tuple[float, str] | None = None


class Trail:
    """The keys of one account, in their order. Safe to use from several threads."""

    def __init__(self, token: str, head_start: float = 0):
        """- head_start: how much earlier than they were received responses are taken for: to see the check fail."""
        self._lock = threading.Lock()
        self._keys = {token: _Key(token)}
        self._order = [token]
        self._head_start = head_start
        self._strange: list[str] = []
        self.responses: dict[int, int] = {}

    @property
    def current(self) -> str:
        return self._order[-1]

    @property
    def replaced_count(self) -> int:
        return len(self._order) - 1

    def recently_replaced(self, count: int = 8) -> list[str]:
        return self._order[-1 - count:-1]

    def all_replaced(self) -> list[str]:
        return self._order[:-1]

    def change_requested(self, at: float) -> None:
        """From now on the current key may be replaced at any moment."""
        with self._lock:
            key = self._keys[self.current]
            key.requested_at = at if key.requested_at is None else key.requested_at

    def replaced(self, token: str, responded_at: float) -> str:
        """The response says that this key has taken the current one's place. Returns the key before."""
        with self._lock:
            old = self._keys[self.current]
            if token in self._keys:
                self._strange.append("a regenerate answered a key that there had been before")
                return old.token
            old.replaced_at = responded_at - self._head_start
            self._keys[token] = _Key(token)
            self._order.append(token)
            return old.token

    def record(self, token: str, node: str, response: TimedResponse) -> None:
        """Records a node's response to a request with the key."""
        with self._lock:
            self.responses[response.status] = self.responses.get(response.status, 0) + 1
            key = self._keys[token]
            if response.status in _PASSED:
                key.passed[node] = max(key.passed.get(node, response.started), response.started)
            elif response.status == UNAUTHORIZED:
                if key.refused is None or response.ended < key.refused[0]:
                    key.refused = (response.ended, node)
            elif response.status == UNAVAILABLE and b'"UNAVAILABLE"' not in response.body:
                self._strange.append(f"{node} answered a 503 without UNAVAILABLE: {response.body[:200]!r}")
            elif response.status not in (NO_RESPONSE, UNAVAILABLE):
                self._strange.append(f"{node} answered {response.status}: {response.body[:200]!r}")

    def has_passed(self, token: str, node: str) -> bool:
        with self._lock:
            return node in self._keys[token].passed

    def last_passed(self, node: str) -> float:
        """The start of the latest request that passed on the node, with whatever key."""
        with self._lock:
            return max((key.passed[node] for key in self._keys.values() if node in key.passed), default=0.0)

    def problems(self) -> list[str]:
        """What broke the rules, in words."""
        with self._lock:
            found = list(self._strange)
            for number, key in enumerate(self._keys[token] for token in self._order):
                found += self._revived(number, key) + self._refused_alive(number, key)
            return found

    def check(self) -> None:
        found = self.problems()
        if found:
            raise Violation("\n".join(found[:20]))

    @staticmethod
    def _revived(number: int, key: _Key) -> list[str]:
        if key.replaced_at is None:
            return []
        return [
            f"key {number} passed on {node} in a request that started {1000 * (started - key.replaced_at):.1f} ms "
            "after the response that said it was replaced"
            for node, started in key.passed.items() if started > key.replaced_at
        ]

    @staticmethod
    def _refused_alive(number: int, key: _Key) -> list[str]:
        if key.refused is None or (key.requested_at is not None and key.refused[0] >= key.requested_at):
            return []
        return [f"key {number} was refused on {key.refused[1]} while it was alive"]

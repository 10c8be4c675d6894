"""People with accounts, their keys, and what a key looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

KEY_PATTERN = re.compile(r"tdc_[0-9A-Za-z]{38}")
# A key that looks like one and is none.
UNKNOWN_KEY = "tdc_" + "0" * 38


@dataclass(frozen=True)
class Person:
    """Somebody who signs in."""

    name: str
    email: str
    password: str


@dataclass(frozen=True)
class Account:
    """Somebody with a key, and the workspace that came with the account."""

    id: str
    email: str
    key: str
    key_prefix: str
    workspace: str
    plan: str

    def with_key(self, key: str) -> Account:
        """The same account after its key was regenerated."""
        return replace(self, key=key, key_prefix=key[:8])

    def identity(self, has_workspace: bool = False) -> dict[str, str]:
        """The identity headers in the gate's response, by name in lower case.

        - has_workspace: whether the request names the account's workspace.
        """
        return {
            "x-keybearer-user": self.id,
            "x-keybearer-email": self.email,
            "x-keybearer-email-verified": "true",
            "x-keybearer-workspace": self.workspace if has_workspace else "-",
            "x-keybearer-role": "owner" if has_workspace else "-",
            "x-keybearer-plan": self.plan,
            "x-keybearer-key-prefix": self.key_prefix,
        }


def expect_no_key(text: str, place: str | Path) -> None:
    """Fails when a Secret Key is in the text; the failure does not show it."""
    assert not KEY_PATTERN.search(text), f"A Secret Key is in {place}."

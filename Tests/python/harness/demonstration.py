"""What `keybearer demo` prints when it has begun."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.accounts import Person


@dataclass(frozen=True)
class Greeting:
    """Where the demonstration is, and who has an account there."""

    origin: str
    person: Person
    key: str


def read_greeting(output: str) -> Greeting | None:
    """The greeting in the output; None until all of it is there."""
    if "Stop with" not in output:
        return None
    patterns = (r"Dashboard\s+(http://localhost:\d+)/", r"E-mail\s+(\S+)", r"Password\s+(\S+)", r"Bearer (\S+)\"")
    found = [re.search(pattern, output) for pattern in patterns]
    assert all(found), f"The greeting is not complete:\n{output}"
    origin, email, password, key = (match[1] for match in found)
    return Greeting(origin, Person("Ada", email, password), key)

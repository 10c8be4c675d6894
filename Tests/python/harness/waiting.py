"""Waiting for a condition, and the failure when it does not come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


class Failure(AssertionError):
    """What a run cannot go on without did not happen. Its message is for the person who started the run."""


def eventually(condition: Callable[[], Value], message: str, seconds: float = 30, pause: float = 0.02) -> Value:
    """Returns what the condition returns as soon as that is true; fails when it is not within the time."""
    deadline = time.monotonic() + seconds
    waiting = threading.Event()
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise Failure(f"not within {seconds:g} s: {message}")
        waiting.wait(pause)
    return value

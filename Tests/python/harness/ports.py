"""Ports of 127.0.0.1 for servers."""

from __future__ import annotations

import contextlib
import os
import random
import socket

# pytest-xdist's processes run beside each other: each has ports of its own, so that none takes one that another has just
# found free.
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_used: set[int] = set()
# Not the generator that a seed may have been given to.
_random = random.SystemRandom()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, never the same one twice.

    It is below those that systems give to outgoing connections: a server that is started again finds it free.
    """
    while True:
        port = _random.randrange(12_000 + _PROCESS, 32_000, _PROCESSES)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _used:
                _used.add(port)
                return port


def is_open(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False

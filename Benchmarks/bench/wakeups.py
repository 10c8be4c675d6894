"""Keeps the processor's cores awake while latencies are measured, and measures what that is worth on this machine."""

import contextlib
import dataclasses
import json
import os
import struct

from . import preparation
from .processes import print_progress, run

# Whoever holds this file open bounds how long a core may take to wake: with 0 a core that has nothing to do goes round
# in a loop and does not halt. cyclictest does the same.
DEVICE = "/dev/cpu_dma_latency"
SECONDS = 3
RATE = 2_000


@dataclasses.dataclass
class Measured:
    """How late a sleeping thread is woken; `awake` is None where the cores cannot be kept awake."""

    asleep: dict
    awake: dict | None


@contextlib.contextmanager
def cores_awake():
    """Yields whether they are: only root may, and only Linux can.

    A virtual machine's core that halts is woken by its host, which takes up to milliseconds where the host is shared:
    that would be measured instead of the servers.
    """
    try:
        device = os.open(DEVICE, os.O_WRONLY)
    except OSError:
        yield False
        return
    try:
        os.write(device, struct.pack("i", 0))
        yield True
    finally:
        os.close(device)


def measure(directory: str) -> Measured:
    print_progress("Wake-ups of the machine alone")
    program = preparation.compile_program("wakeups", directory)
    once = lambda: json.loads(run([program, str(SECONDS), str(RATE)], "wakeups", timeout=60))  # noqa: E731
    asleep = once()
    with cores_awake() as awake:
        return Measured(asleep, once() if awake else None)

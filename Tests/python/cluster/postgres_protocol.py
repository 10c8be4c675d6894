"""As much of PostgreSQL's protocol as a proxy needs: who connects, and where a change is committed."""

from __future__ import annotations

import struct

_ENCRYPTION_REQUESTS = (80877103, 80877104)
# Only a change takes a number, and this is how.
_NUMBERING = b"UPDATE fence_counter"


def is_encryption_request(packet: bytes) -> bool:
    """Whether a client's first packet requests TLS or GSS encryption; the response `N` makes it go on without."""
    return struct.unpack_from("!I", packet, 4)[0] in _ENCRYPTION_REQUESTS


def application_name(packet: bytes) -> str:
    """The name in a start-up packet; empty when it has none."""
    parameters = packet[8:].split(b"\0")
    named = dict(zip(parameters[::2], parameters[1::2]))
    return named.get(b"application_name", b"").decode(errors="replace")


class ChangeTracker:
    """Follows what a client sends after its start-up packet, and notices the commit of a change."""

    def __init__(self) -> None:
        self._buffer = b""
        self._numbering: set[bytes] = set()
        self._is_change = False
        self._is_committing = False

    def feed(self, data: bytes) -> bool:
        """Returns whether, with this data, a change's COMMIT has been sent completely."""
        self._buffer += data
        is_committed = False
        while len(self._buffer) >= 5:
            length = struct.unpack_from("!I", self._buffer, 1)[0] + 1
            if len(self._buffer) < length:
                break
            kind, body = self._buffer[:1], self._buffer[5:length]
            self._buffer = self._buffer[length:]
            is_committed = self._take(kind, body) or is_committed
        return is_committed

    def _take(self, kind: bytes, body: bytes) -> bool:
        if kind == b"P":
            name, query = body.split(b"\0")[:2]
            if _NUMBERING in query:
                self._numbering.add(name)
            elif query.startswith(b"BEGIN"):
                self._is_change = False
            elif query == b"COMMIT":
                self._is_committing = True
        elif kind == b"B":
            self._is_change = self._is_change or body.split(b"\0")[1] in self._numbering
        elif kind == b"S" and self._is_committing:
            was_change = self._is_change
            self._is_change = self._is_committing = False
            return was_change
        return False

"""Silent connections that take all the files that a server may open (``OpenFiles``) lock nobody out."""

from __future__ import annotations

import resource
import socket
import time
from pathlib import Path

import pytest

from gateways.listening_server import HEAD_SECONDS, ListeningServer
from gateways.stages import connect

# How many files a server may open that silent connections are to lock others out of.
FEW_FILES = 1_024
# And how many silent connections come.
SILENT = 2_000


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_silent_connections_lock_nobody_out(tmp_path: Path, certificate, is_tls: bool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    server = ListeningServer(tmp_path, tuple(certificate) if is_tls else None, files=FEW_FILES)
    silent: list[socket.socket] = []
    try:
        for listener in server.listeners:
            before, until = len(silent), time.monotonic() + 30
            while len(silent) - before < SILENT and time.monotonic() < until:
                try:
                    silent.append(connect(server.addresses[listener.name], seconds=1))
                except (ConnectionError, TimeoutError):
                    # The listener takes no more for the moment: that is what the limit is for.
                    time.sleep(0.01)
            # Whichever of them it ended: more came than it can hold.
            assert len(silent) - before >= FEW_FILES, f"{listener.name} took {len(silent) - before} connections"
            for other in server.listeners:
                deadline = time.monotonic() + HEAD_SECONDS + 3
                while not (has_response := server.responds(other, seconds=1)) and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert has_response and time.monotonic() < deadline, f"{other.name} is locked out by {listener.name}"
    finally:
        for connection in silent:
            connection.close()
        server.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

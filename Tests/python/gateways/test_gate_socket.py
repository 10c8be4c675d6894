"""Whose the gate's socket is (``UnixSocketFile``), and when it is taken or removed."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from gateways.gate_server import GateServer
from gateways.stages import connect
from harness.ports import free_port
from harness.programs import ENVIRONMENT


def second_start(keybearer: GateServer) -> subprocess.CompletedProcess[str]:
    """A server that is to listen on the same socket, and ends."""
    arguments = keybearer.serve_arguments(free_port())
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)


def test_a_socket_that_somebody_listens_on_is_never_taken(tmp_path: Path) -> None:
    keybearer = GateServer(tmp_path / "kb", gate_socket=True)
    keybearer.start()
    path = keybearer.gate.removeprefix("unix:")
    inode = os.stat(path).st_ino
    second = second_start(keybearer)
    assert second.returncode == 69 and f"unix:{path}" in second.stderr, second.stderr
    assert "KeybearerError" not in second.stderr and "Listening" not in second.stderr, second.stderr
    assert os.stat(path).st_ino == inode
    connect(path).close()
    begun = time.monotonic()
    keybearer.stop()
    assert time.monotonic() - begun < 10, "nothing is open, so nothing is waited for"
    assert not os.path.exists(path), "a stop takes its own socket away"
    # One that is left over is taken.
    keybearer.start()
    keybearer.kill()
    assert os.path.exists(path)
    keybearer.start()
    connect(path).close()
    keybearer.stop()
    # A file of another kind is left alone.
    Path(path).write_text("not a socket")
    refused = second_start(keybearer)
    assert refused.returncode == 69 and Path(path).read_text() == "not a socket", refused.stderr

"""Ends programs and removes folders of a run, whatever becomes of the run itself.

A small process of its own waits for the run's end. It is told what was started and what was made. When the run is
over, even by SIGKILL, the pipe between them closes, and it ends and removes all that is left.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

_lock = threading.Lock()
_keeper: subprocess.Popen | None = None


def temporary_directory() -> Path:
    """A new folder, removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="keybearer-"))
    _tell("directory", str(directory))
    return directory


def end_at_exit(pid: int) -> None:
    """Has the process killed at the end, if it still runs then."""
    _tell("process", [pid, birth(pid)])


def birth(pid: int) -> str | None:
    """When a process began: a number that is used again belongs to another one. None when there is none."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _tell(kind: str, value: object) -> None:
    global _keeper
    with _lock:
        if _keeper is None:
            # A session of its own: what ends the run's group must not end it first.
            _keeper = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        _keeper.stdin.write(json.dumps({kind: value}).encode() + b"\n")
        _keeper.stdin.flush()


def _kill(pid: int, born: str | None) -> None:
    if born is not None and birth(pid) == born:
        os.kill(pid, signal.SIGKILL)


def _keep() -> None:
    told = [json.loads(line) for line in sys.stdin]
    for each in told:
        if "process" in each:
            _kill(*each["process"])
    # PostgreSQL's backends end by themselves soon after their parent, and still write until then.
    for _ in range(20):
        for each in told:
            if "directory" in each:
                shutil.rmtree(each["directory"], ignore_errors=True)
        if not any(os.path.exists(each.get("directory", "")) for each in told):
            return
        time.sleep(0.25)


if __name__ == "__main__":
    _keep()

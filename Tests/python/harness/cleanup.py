"""Ends programs and removes folders of a run, however the run itself ends.

A small process of its own waits for the run's end. The run reports to it which programs it started and which folders it
made. When the run is over, even by SIGKILL, the pipe between them closes, and it ends and removes what is left.
"""

from __future__ import annotations

import contextlib
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
_cleaner: subprocess.Popen | None = None


def temporary_directory() -> Path:
    """A new folder, removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="keybearer-"))
    _report("directory", str(directory))
    return directory


def end_at_exit(pid: int) -> None:
    """Has the process group that this process leads killed at the end, if the process still runs then."""
    _report("process", [pid, start_time(pid)])


def start_time(pid: int) -> str | None:
    """When a process began: a number that is used again belongs to another one. None when there is none."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _report(kind: str, value: object) -> None:
    global _cleaner
    with _lock:
        if _cleaner is None:
            # A session of its own: what ends the run's group must not end it first.
            _cleaner = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        _cleaner.stdin.write(json.dumps({kind: value}).encode() + b"\n")
        _cleaner.stdin.flush()


def _kill(pid: int, started: str | None) -> None:
    if started is not None and start_time(pid) == started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _clean_up() -> None:
    reports = [json.loads(line) for line in sys.stdin]
    for report in reports:
        if "process" in report:
            _kill(*report["process"])
    # PostgreSQL's backends end by themselves soon after their parent, and still write until then.
    for _ in range(20):
        for report in reports:
            if "directory" in report:
                shutil.rmtree(report["directory"], ignore_errors=True)
        if not any(os.path.exists(report.get("directory", "")) for report in reports):
            return
        time.sleep(0.25)


if __name__ == "__main__":
    _clean_up()

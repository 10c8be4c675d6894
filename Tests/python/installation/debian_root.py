"""A new Debian in a folder, whose commands run by chroot or by a systemd of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from harness.processes import Program
from harness.programs import ENVIRONMENT
from harness.waiting import Failure, eventually


def sources() -> list[str]:
    """Where this machine's apt has Debian from, as lines of a sources.list; the suite's own first."""
    form = "$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)"
    found = _run("apt-get", "indextargets", "--format", form, "Created-By: Packages").stdout.splitlines()
    lines = sorted({line.split(" ", 1)[1] for line in found if line.startswith("Debian ")}, key=len)
    assert lines, "apt on this machine has no source of Debian"
    return [f"deb {line}" for line in lines]


def _run(*words: str | Path, seconds: float = 900, text: str | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=seconds, env=ENVIRONMENT,
                          input=text or "")
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done


class DebianRoot:
    """A folder with a Debian of the least packages.

    The process needs a mount namespace of its own: what is mounted here ends with it. Only new file systems are mounted, and
    nothing of this machine's, so that removing the folder removes nothing else.
    """

    def __init__(self, directory: Path):
        self.directory = directory

    @classmethod
    def make(cls, directory: Path) -> DebianRoot:
        lines = sources()
        _run("mmdebstrap", "--mode=root", "--variant=minbase", lines[0].split()[2], directory, "-",
             text="\n".join(lines) + "\n")
        return cls(directory)

    def copy(self, directory: Path) -> DebianRoot:
        _run("cp", "-a", self.directory, directory)
        return DebianRoot(directory)

    def open(self) -> None:
        """Mounts what commands need."""
        _run("mount", "-t", "proc", "proc", self.path("/proc"))
        shutil.copy("/etc/resolv.conf", self.path("/etc/resolv.conf"))

    def close(self) -> None:
        _run("umount", self.path("/proc"))

    def path(self, inside: str) -> Path:
        """Where a file of the root is on this machine."""
        return self.directory / inside.lstrip("/")

    def line(self, *words: str) -> list[str]:
        """The command line that runs a command in the root as root."""
        return ["chroot", str(self.directory), *words]

    def run(self, *words: str) -> str:
        """Runs a command that must succeed; returns all that it says."""
        done = _run("env", "-C", "/", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", *self.line(*words))
        return done.stdout + done.stderr

    def install(self, *packages: str) -> str:
        return self.run("apt-get", "install", "-y", "-q", "--no-install-recommends", "--allow-downgrades", *packages)

    def put(self, file: Path) -> str:
        """Copies a file into the root; returns its path there."""
        # /tmp is another one under systemd.
        shutil.copy(file, self.path("/srv"))
        return f"/srv/{file.name}"


class Machine:
    """The root with its own systemd, which shares the network of this machine."""

    def __init__(self, root: DebianRoot, log: Path):
        self._root = root
        self._program = Program(
            ["systemd-nspawn", "--quiet", "--directory", str(root.directory), "--boot", "--register=no", "--keep-unit",
             "--console=pipe"], log)
        self._leader = self._program.wait_until(self._child, "systemd was started", 20)
        self._program.wait_until(self._is_up, "systemd was up", 60)

    def run(self, *words: str) -> str:
        """Runs a command that must succeed beside its services; returns all that it says."""
        done = _run(*self._line("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *words))
        return done.stdout + done.stderr

    def show(self, property: str) -> str:
        """What systemd says of Keybearer's service."""
        return self.run("systemctl", "show", "--value", "--property", property, "keybearer.service").strip()

    def log(self) -> str:
        return self.run("journalctl", "--unit", "keybearer.service", "--no-pager", "--output", "cat")

    def end(self) -> None:
        """Shuts it down; returns when nothing of it is left."""
        code = self._program.end(signal.SIGTERM, 90)
        assert code >= 0, "systemd did not stop within 90 s"

    def _line(self, *words: str) -> list[str]:
        return ["nsenter", "--target", str(self._leader), "--all", "--", *words]

    def _child(self) -> int | None:
        """The process 1 of the root: the child of systemd-nspawn that has become systemd."""
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{self._program.pid}/task/{self._program.pid}/children").read_text().split():
                if os.readlink(f"/proc/{child}/exe").endswith("/systemd"):
                    return int(child)
        return None

    def _is_up(self) -> bool:
        done = subprocess.run(self._line("systemctl", "is-system-running"), capture_output=True, text=True, env=ENVIRONMENT)
        return done.stdout.strip() in ("running", "degraded")


def wait_for(machine: Machine, condition, what: str, seconds: float) -> None:
    """Waits until a condition holds; a failure has the service's log."""
    try:
        eventually(condition, what, seconds, pause=0.2)
    except Failure as problem:
        raise Failure(f"{problem}\n{machine.log()[-3000:]}") from None

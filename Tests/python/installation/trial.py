"""Installs the package in new Debian systems, and does with it what an operator does.

    scripts/test-package [PACKAGE]

Prints a line for each step; ends with 1 at the first that fails.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.http_client import request
from harness.ports import free_port
from harness.postgres import DATABASE, USER, PostgresServer
from harness.processes import Program
from harness.programs import ENVIRONMENT, REPOSITORY
from harness.unit_file import UnitFile
from harness.waiting import Failure, eventually
from installation.debian_root import DebianRoot, Machine, wait_for

CONFIG = "/etc/keybearer/keybearer.json"
SERVICE = "/lib/systemd/system/keybearer.service"
AS_USER = ["env", "-C", "/var/lib/keybearer", "runuser", "-u", "keybearer", "--", "keybearer"]
# What lintian says and what is meant: the C library of compression is in Foundation, the changelog is not Debian's, the
# folder of the settings is not for everybody, the project states no licence, and has no address for mails.
KNOWN_TAGS = ("embedded-library,syntax-error-in-debian-changelog,non-standard-dir-perm,non-standard-file-perm,"
              "copyright-without-copyright-notice,bogus-mail-host")


def status(port: int, path: str, key: str | None = None) -> int:
    """The status of a response; 0 when nobody listens."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with contextlib.suppress(OSError, http.client.HTTPException):
        return request(f"127.0.0.1:{port}", path, headers=headers, timeout=8).status
    return 0


def report(text: str) -> None:
    print(text, flush=True)


def newer(package: Path, directory: Path) -> Path:
    """The same package with a higher version."""
    files = directory / "newer"
    subprocess.run(["dpkg-deb", "--raw-extract", package, files], check=True)
    control = files / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+1", control.read_text()))
    result = directory / "newer.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", files, result], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(files)
    return result


class Installed:
    """A root with the package in it."""

    def __init__(self, root: DebianRoot, package: Path, later: Path):
        self.root = root
        self.package, self.later = root.put(package), root.put(later)
        self.port = free_port()
        self.key = ""

    def configure(self, *examples: str, **values: str) -> None:
        """Uses some of the examples of the settings file, and other values for settings."""
        path = self.root.path(CONFIG)
        text = path.read_text()
        for name in ("address", *examples):
            text, count = re.subn(rf'(?m)^  // ("{name}": )', r"  \1", text)
            assert count in (0, 1), name
        for name, value in {"address": f"127.0.0.1:{self.port}", **values}.items():
            name = name.replace("_", "-")
            text, count = re.subn(rf'(?m)^  "{name}": ".*?"', f'  "{name}": "{value}"', text)
            if count == 0:
                text = text.replace("{\n", f'{{\n  "{name}": "{value}",\n', 1)
        path.write_text(text)

    def command(self, *words: str) -> str:
        """Runs a command as the service's user."""
        return self.root.run(*AS_USER, *words, "--config", CONFIG)

    def initialise(self) -> None:
        """What docs/install.md says: the operator, and a first account on a plan with the API."""
        self.command("init", "--email", "operator@example.com", "--generate-password")
        self.command("user", "create", "ada@example.com", "--name", "Ada", "--generate-password")
        workspace = re.search(r"ws_\w+", self.command("user", "show", "ada@example.com", "--json"))[0]
        self.command("workspace", "set-plan", workspace, "pro")
        self.key = re.search(r"tdc_\w{38}", self.command("key", "show", "ada@example.com"))[0]

    def request(self) -> int:
        return status(self.port, "/api/v1/me", self.key)

    def mode(self, path: str) -> str:
        return self.root.run("stat", "-c", "%a %U %G", path).strip()


def without_systemd(installed: Installed, log: Path) -> None:
    """The package where no systemd runs: install, init, the unit's command, upgrade, roll back, remove, purge."""
    root = installed.root
    said = root.install(installed.package)
    assert "does not run yet" in said and "keybearer init" in said, said
    libraries = root.run("ldd", "/usr/bin/keybearer")
    assert "not found" not in libraries and "swift" not in libraries.lower(), libraries
    assert root.run("find", "/usr", "-name", "libswift*").strip() == ""
    modes = {path: installed.mode(path) for path in ("/etc/keybearer", CONFIG, "/var/lib/keybearer", "/run/keybearer")}
    assert modes == {"/etc/keybearer": "750 root keybearer", CONFIG: "640 root keybearer",
                     "/var/lib/keybearer": "700 keybearer keybearer", "/run/keybearer": "750 keybearer keybearer"}, modes
    root.run("bash", "-n", "/usr/share/bash-completion/completions/keybearer")
    report(f"installed without Swift; {len(libraries.splitlines())} libraries, all of Debian")

    without_proc = subprocess.run(
        ["unshare", "--mount", "sh", "-c", 'umount -l "$0/proc" && exec chroot "$0" keybearer serve', root.directory],
        capture_output=True, text=True, env=ENVIRONMENT)
    assert (without_proc.returncode, without_proc.stdout) == (1, ""), without_proc
    assert "is /proc mounted?" in without_proc.stderr, without_proc
    report(f"without /proc: {without_proc.stderr.strip()}")

    installed.configure("gate-address")
    installed.initialise()
    server = serve(installed, log)
    socket = installed.mode("/run/keybearer/gate.sock")
    assert socket.endswith("keybearer keybearer") and socket[:3] == "660", socket
    report(f"the unit's command as {UnitFile().value('User')}: {installed.request()}")

    settings = root.path(CONFIG).read_text()
    for package, what in ((installed.later, "upgraded"), (installed.package, "rolled back")):
        root.install(package)
        assert root.path(CONFIG).read_text() == settings, "the edited settings file was replaced"
        assert server.end() == 0, server.log
        server = serve(installed, log)
        version = root.run("dpkg-query", "--show", "--showformat", "${Version}", "keybearer")
        report(f"{what} to {version}: the settings are kept; {installed.request()} with the same key")
    assert server.end() == 0, server.log

    root.run("apt-get", "remove", "-y", "-q", "keybearer")
    assert not root.path("/usr/bin/keybearer").exists() and root.path(CONFIG).exists()
    said = root.run("apt-get", "purge", "-y", "-q", "keybearer")
    kept = [line for line in said.splitlines() if "are kept" in line]
    assert len(kept) == 1 and not root.path(CONFIG).exists(), said
    assert root.path("/var/lib/keybearer/keybearer.db").exists() and root.path("/var/lib/keybearer/keybearer.keys").exists()
    report(f"purged: {kept[0]}")


def serve(installed: Installed, log: Path) -> Program:
    """Runs what the unit runs, as it does; returns when the first request was answered."""
    unit = UnitFile(installed.root.path(SERVICE))
    program = Program(installed.root.line(*unit.call()), log, directory=Path("/"))
    program.wait_until(lambda: status(installed.port, "/readyz") == 200, "the server was ready", 20)
    assert installed.request() == 200, program.log
    return program


def examined(root: DebianRoot, package: Path) -> None:
    """What systemd and lintian say of the unit and of the package."""
    said = root.run("systemd-analyze", "verify", "--man=no", SERVICE)
    assert "keybearer" not in said, said
    said = root.run("systemd-analyze", "security", "--offline=yes", "--no-pager", SERVICE)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1]
    assert float(exposure) < 2, said
    report(f"systemd-analyze: verify says nothing; exposure {exposure} of 10")
    if shutil.which("lintian"):
        tags = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", KNOWN_TAGS, package],
                              capture_output=True, text=True, env=ENVIRONMENT)
        assert tags.returncode == 0, tags.stdout + tags.stderr
        report("lintian: nothing but what is known")


def with_systemd(installed: Installed, log: Path) -> None:
    """The service under a systemd of its own: its rules, a database that starts late, an upgrade, the removal."""
    root, database = installed.root, PostgresServer().make()
    try:
        url = f"postgres://{USER}@127.0.0.1:{database.port}/{DATABASE}"
        installed.configure("gate-address", database=url)
        installed.initialise()
        root.run("systemctl", "enable", "keybearer.service")
        database.stop()
        root.close()
        machine = Machine(root, log)
        try:
            _late_database(machine, installed, database)
            _upgraded(machine, installed)
        finally:
            machine.end()
    finally:
        database.stop()


def _late_database(machine: Machine, installed: Installed, database: PostgresServer) -> None:
    def is_served() -> bool:
        return installed.request() == 200

    wait_for(machine, lambda: "Waiting for the database" in machine.log(), "the server waited for its database", 20)
    assert (machine.show("ActiveState"), installed.request()) == ("active", 0)
    database.start()
    wait_for(machine, is_served, "the server answered", 20)
    assert machine.show("NRestarts") == "0"
    report("systemd: started without its database, waited for it, 200")

    # Longer than the server itself waits.
    database.stop()
    installed.configure(database_wait="1s")
    machine.run("systemctl", "restart", "keybearer.service")
    wait_for(machine, lambda: int(machine.show("NRestarts")) >= 2, "systemd started it again", 40)
    database.start()
    wait_for(machine, is_served, "the server answered", 20)
    report(f"systemd: the database was away for {machine.show('NRestarts')} restarts, 200")

    process = Path(f"/proc/{_outside(machine)}/status").read_text()
    state = dict(line.split(":\t", 1) for line in process.splitlines() if ":\t" in line)
    assert (state["Seccomp"], state["NoNewPrivs"], int(state["CapBnd"], 16)) == ("2", "1", 0), process
    machine.run("systemctl", "reload", "keybearer.service")
    wait_for(machine, lambda: "Reloaded." in machine.log(), "the master keys were reloaded", 10)
    assert installed.request() == 200 and "Operation not permitted" not in machine.log(), machine.log()
    assert machine.run("stat", "-c", "%a %U %G", "/run/keybearer/gate.sock").strip() == "660 keybearer keybearer"
    report("systemd: seccomp filter on, no capabilities; reloaded")


def _outside(machine: Machine) -> int:
    """The service's process as this machine numbers it."""
    inside = machine.show("MainPID")
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            numbers = re.search(r"(?m)^NSpid:\t.*\t(\d+)$", (entry / "status").read_text()) if entry.name.isdigit() else None
            if numbers and numbers[1] == inside and (entry / "comm").read_text().strip() == "keybearer":
                return int(entry.name)
    raise Failure(f"there is no process {inside}")


def _upgraded(machine: Machine, installed: Installed) -> None:
    before = machine.show("MainPID")
    machine.run("apt-get", "install", "-y", "-q", installed.later)
    wait_for(machine, lambda: installed.request() == 200, "the server answered", 20)
    assert machine.show("MainPID") != before
    report("systemd: the upgrade restarted the server, 200")
    machine.run("apt-get", "remove", "-y", "-q", "keybearer")
    eventually(lambda: status(installed.port, "/readyz") == 0, "the removal stopped the server")
    report("systemd: the removal stopped the server")


def step(name: str, perform: Callable[[], None]) -> None:
    began = time.monotonic()
    perform()
    report(f"{name}: {time.monotonic() - began:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/test-package")
    parser.add_argument("package", nargs="?", type=Path, help="the package; the newest in dist without it")
    package = parser.parse_args().package or max(
        (REPOSITORY / "dist").glob("keybearer_*.deb"), key=lambda file: file.stat().st_mtime, default=None)
    assert package and package.exists(), "there is no package; make package builds one"
    report(f"{package.name}: {package.stat().st_size} bytes")

    directory = Path(tempfile.mkdtemp(prefix="keybearer-package-"))
    opened: list[DebianRoot] = []
    try:
        later = newer(package.resolve(), directory)
        plain = DebianRoot.make(directory / "plain")
        booted = plain.copy(directory / "booted")
        for root in (plain, booted):
            root.open()
            opened.append(root)
            root.run("apt-get", "update", "-q")
        step("without systemd", lambda: without_systemd(Installed(plain, package, later), directory / "plain.log"))
        booted.install("systemd", "systemd-sysv", "dbus")
        installed = Installed(booted, package, later)
        booted.install(installed.package)
        examined(booted, package)
        opened.remove(booted)
        step("with systemd", lambda: with_systemd(installed, directory / "booted.log"))
    finally:
        for root in opened:
            root.close()
        # Nothing is mounted in it any more: this namespace's mounts would be found here.
        assert str(directory) not in Path("/proc/self/mountinfo").read_text(), f"{directory} is still in use"
        shutil.rmtree(directory)
    report("The package works.")


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, subprocess.CalledProcessError) as problem:
        sys.exit(f"test-package: {problem}")

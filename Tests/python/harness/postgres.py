"""Throwaway PostgreSQL servers that can be stopped, killed, promoted, and made a standby of another.

They write through to the disk (fsync), because what survives a crash is what is tested. PostgreSQL refuses to run as
root; root runs it as the user `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from harness import cleanup
from harness.ports import free_port
from harness.processes import Program
from harness.programs import ENVIRONMENT
from harness.waiting import eventually

USER = "keybearer"
DATABASE = "keybearer"
_STANDBY = "standby"


def programs() -> Path:
    """The folder of PostgreSQL's programs: Debian keeps each version's out of the path."""
    named = os.environ.get("KEYBEARER_POSTGRES_BIN")
    if named:
        return Path(named)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    initdb = found[-1] if found else shutil.which("initdb")
    assert initdb, "there is no PostgreSQL server; scripts/install-dependencies --test installs one"
    return Path(initdb).parent


def _as_user(directory: Path) -> list[str]:
    """What a command begins with so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    user = _unprivileged()
    return ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups", "env",
            f"HOME={directory}"]


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


class PostgresServer:
    """One PostgreSQL on a port of its own, which it keeps when it is made again as somebody's standby."""

    def __init__(self) -> None:
        self.directory = cleanup.temporary_directory()
        if os.geteuid() == 0:
            shutil.chown(self.directory, _unprivileged().pw_uid, _unprivileged().pw_gid)
        self.port = free_port()
        self._data = self.directory / "data"
        self._program: Program | None = None

    def make(self) -> PostgresServer:
        """Makes an empty database and starts."""
        self._run("initdb", "-D", self._data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.start()
        self.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
        return self

    def copy(self, primary: PostgresServer, through: int | None = None) -> PostgresServer:
        """Becomes a standby of the primary, instead of whatever it was.

        - through: the port by which it reaches the primary, if not the primary's own.
        """
        shutil.rmtree(self._data, ignore_errors=True)
        self._run("pg_basebackup", "-h", "127.0.0.1", "-p", primary.port, "-U", USER, "-D", self._data, "-X", "stream",
                  "-c", "fast", "--no-sync")
        reached = (f"host=127.0.0.1 port={through or primary.port} user={USER} application_name={_STANDBY} "
                   "sslmode=disable gssencmode=disable")
        self._write("postgresql.auto.conf", f"primary_conninfo = '{reached}'\n")
        self._write("standby.signal", "")
        self.start()
        eventually(lambda: primary.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1",
                   "the standby follows")
        return self

    def start(self) -> None:
        """Starts, and returns when it accepts connections."""
        self._program = Program(
            [*_as_user(self.directory), str(programs() / "postgres"), "-D", str(self._data), "-p", str(self.port),
             "-k", str(self.directory), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=on",
             "-c", "max_connections=200", "-c", "synchronous_commit=on", "-c", "wal_keep_size=256MB",
             "-c", "hot_standby=on", "-c", "wal_retrieve_retry_interval=200ms"],
            self.directory / "log",
            directory=self.directory)
        self._program.wait_until(self._accepts, "PostgreSQL accepted connections", 30)

    @property
    def is_running(self) -> bool:
        return self._program is not None and self._program.is_running

    def stop(self) -> None:
        """Ends it as an administrator does: clients are cut off, everything is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """A crash: returns when none of its processes is left."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._program is not None:
            self._program.end(number, 30)
            # Backends notice that their parent is gone.
            eventually(lambda: not self._owns_processes(), "the last backend ended")

    def _owns_processes(self) -> bool:
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "cwd") == str(self._data):
                    return True
            except OSError:
                continue
        return False

    def promote(self) -> None:
        """Turns the standby into a primary; returns when it can be written to."""
        assert self.sql("SELECT pg_promote(true, 30)") == "t", "the standby was not promoted"

    def require_standby(self) -> None:
        """From the return on, a commit returns when the standby has it on its disk too."""
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{_STANDBY}'")
        self.sql("SELECT pg_reload_conf()")
        eventually(lambda: self.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1",
                   "the standby is synchronous")

    def sql(self, statement: str, database: str = DATABASE) -> str:
        """Runs statements and returns what psql prints of their rows."""
        done = self._psql(statement, database)
        assert done.returncode == 0, f"{statement}: {done.stderr}"
        return done.stdout.strip()

    def try_sql(self, statement: str) -> str | None:
        """The same where the server may be out of reach; then None."""
        done = self._psql(statement, DATABASE)
        return done.stdout.strip() if done.returncode == 0 else None

    def _accepts(self) -> bool:
        return self._psql("SELECT 1", "postgres").returncode == 0

    def _psql(self, statement: str, database: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs() / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database, "-X", "-q",
             "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)

    def _run(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [*_as_user(self.directory), str(programs() / program), *map(str, arguments)], cwd=self.directory,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def _write(self, name: str, text: str) -> None:
        path = self._data / name
        path.write_text(text)
        if os.geteuid() == 0:
            shutil.chown(path, _unprivileged().pw_uid, _unprivileged().pw_gid)

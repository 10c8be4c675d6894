"""The systemd unit of the package, as far as a run without systemd needs it."""

from __future__ import annotations

import shlex
from pathlib import Path

from harness.programs import REPOSITORY

SERVICE = REPOSITORY / "packaging/systemd/keybearer.service"


class UnitFile:
    """A unit's settings by their name, without the sections. A name that comes again adds a value; an empty one ends the
    list, as in systemd."""

    def __init__(self, path: Path = SERVICE):
        self._values: dict[str, list[str]] = {}
        for line in path.read_text().splitlines():
            name, separator, value = line.partition("=")
            if not separator or line.startswith(("#", ";")):
                continue
            values = self._values.setdefault(name, [])
            values.append(value) if value else values.clear()

    def values(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def value(self, name: str) -> str:
        """The value of what is set exactly once."""
        (value,) = self.values(name)
        return value

    @property
    def command(self) -> list[str]:
        """What the service runs."""
        return shlex.split(self.value("ExecStart"))

    def environment(self) -> dict[str, str]:
        """The variables that systemd gives the service."""
        user, home = self.value("User"), self.value("WorkingDirectory")
        own = dict(word.split("=", 1) for line in self.values("Environment") for word in shlex.split(line))
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": home,
            "LOGNAME": user, "USER": user, "SHELL": "/usr/sbin/nologin",
            "STATE_DIRECTORY": f"/var/lib/{self.value('StateDirectory')}",
            "RUNTIME_DIRECTORY": f"/run/{self.value('RuntimeDirectory')}",
            "CONFIGURATION_DIRECTORY": f"/etc/{self.value('ConfigurationDirectory')}", **own,
        }

    def call(self) -> list[str]:
        """A command line that runs what the service runs, as its user, with its variables, folder and umask. Only root
        can."""
        user, group = self.value("User"), self.value("Group")
        variables = [f"{name}={value}" for name, value in self.environment().items()]
        return [
            "setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs", "--bounding-set=-all",
            "env", "-i", "-C", self.value("WorkingDirectory"), *variables,
            "sh", "-c", f'umask {self.value("UMask")}; exec "$@"', "sh", *self.command,
        ]

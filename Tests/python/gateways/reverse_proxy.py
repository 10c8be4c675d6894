"""What all gateways and proxies of the tests have in common, and how each program is started."""

from __future__ import annotations

import re
from pathlib import Path

from gateways.client import Client
from gateways.gate_server import CLIENT_ADDRESS
from harness.accounts import expect_no_key
from harness.ports import free_port
from harness.processes import Program
from harness.programs import CADDY, NGINX, TRAEFIK


def replaced(text: str, replacements: dict[str, str]) -> str:
    """The text with each of these replaced; each must be in it exactly once, or the example has changed.

    In one pass: a port that is free here may begin with the digits of one in the example.
    """
    for old in replacements:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the example, not once"
    found = "|".join(re.escape(old) for old in sorted(replacements, key=len, reverse=True))
    return re.sub(found, lambda match: replacements[match[0]], text)


class ReverseProxy:
    """A program with a file of the examples, over TLS, until it is stopped."""

    name: str

    def __init__(self, directory: Path, certificate: Path, key: Path, *addresses: str):
        directory.mkdir(parents=True)
        self._directory = directory
        self.port = free_port()
        self.program = self._start(directory, certificate, key, *addresses)
        self.client = Client(self.port, certificate, CLIENT_ADDRESS)
        self.program.wait_until(self._responds, f"{self.name} answered")

    def _start(self, directory: Path, certificate: Path, key: Path, *addresses: str) -> Program:
        raise NotImplementedError

    def _responds(self) -> bool:
        raise NotImplementedError

    def stop(self) -> None:
        """Stops it; no key may be in what it wrote."""
        self.program.end()
        for file in self._directory.rglob("*"):
            if file.is_file():
                expect_no_key(file.read_text(errors="replace"), file)


def run_nginx(directory: Path, configuration: str) -> Program:
    """In the foreground; and where root starts it, as root, so that the workers may open the gate's socket."""
    file = directory / "nginx.conf"
    file.write_text(configuration)
    return Program([str(NGINX), "-e", "stderr", "-c", str(file), "-g", "daemon off; user root;"], directory / "log")


def run_caddy(directory: Path, configuration: str) -> Program:
    """With a home of its own."""
    file = directory / "Caddyfile"
    file.write_text(configuration)
    environment = {
        "HOME": str(directory),
        "XDG_DATA_HOME": str(directory / "data"),
        "XDG_CONFIG_HOME": str(directory / "config"),
        # Caddy's own API: on its usual port it would meet another Caddy's.
        "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
    }
    arguments = [str(CADDY), "run", "--config", str(file), "--adapter", "caddyfile"]
    return Program(arguments, directory / "log", environment=environment)


def run_traefik(directory: Path, port: int, static: str, dynamic: str) -> Program:
    """On a port, with the text of an example's two files; `dynamic` has its replacements."""
    (directory / "dynamic.yml").write_text(dynamic)
    replacements = {'":443"': f'"127.0.0.1:{port}"', "/etc/traefik/dynamic.yml": str(directory / "dynamic.yml")}
    (directory / "traefik.yml").write_text(replaced(static, replacements))
    return start_traefik(directory)


def start_traefik(directory: Path) -> Program:
    """With the traefik.yml of the directory, which is its working directory too."""
    arguments = [str(TRAEFIK), f"--configFile={directory / 'traefik.yml'}"]
    return Program(arguments, directory / "log", directory=directory)

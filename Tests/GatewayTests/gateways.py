"""The real gateways, with the very files that a user copies: addresses, ports and paths replaced, nothing else."""

from __future__ import annotations

from pathlib import Path

from client import Client
from keybearer_process import CLIENT_ADDRESS, KEY_SHAPE
from processes import CADDY, ENVOY, NGINX, REPOSITORY, TRAEFIK, Program, free_port

EXAMPLES = REPOSITORY / "examples" / "gateways"


def replaced(text: str, replacements: dict[str, str]) -> str:
    """The text with each of these replaced; each must stand in it exactly once, or the example has changed."""
    for old, new in replacements.items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the example, not once"
        text = text.replace(old, new)
    return text


class Gateway:
    """A gateway in front of an upstream, asking a gate, until it is stopped."""

    name: str
    # Whether the hour's state reaches the client on answers that were let through.
    reports_rate_limit = True
    # Whether it removes fields such as X-Keybearer-Anything, which Keybearer does not send.
    removes_unknown_names = True
    # What the client gets when the gate is down, and whether it is in the contract's envelope.
    unreachable_status = 503
    unreachable_has_envelope = True
    # How long it waits for a gate that takes the question and says nothing; nil when that is too long for a test.
    patience: float | None = 5
    # Whether it can ask a gate on a Unix socket.
    asks_unix_sockets = True

    def __init__(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str):
        directory.mkdir(parents=True)
        self._directory = directory
        self.port = free_port()
        self._program = self._start(directory, certificate, key, gate, upstream)
        self.client = Client(self.port, certificate, CLIENT_ADDRESS)
        self._program.wait_until(self._answers, f"{self.name} answered")

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        raise NotImplementedError

    def _answers(self) -> bool:
        """Whether it has its configuration: with a route and without a key, it refuses."""
        try:
            return self.client.send().status in (401, 503)
        except OSError:
            return False

    def stop(self) -> None:
        """Stops it; no key may be in what it wrote."""
        self._program.stop()
        for file in self._directory.rglob("*"):
            if file.is_file():
                assert not KEY_SHAPE.search(file.read_text(errors="replace")), f"A Secret Key is in {file}."


class Nginx(Gateway):
    name = "nginx"
    removes_unknown_names = False

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        example = (EXAMPLES / "nginx" / "nginx.conf").read_text()
        configuration = directory / "nginx.conf"
        configuration.write_text(
            replaced(
                example,
                {
                    "pid /run/nginx.pid;": f"pid {directory}/nginx.pid;",
                    "error_log /var/log/nginx/error.log;": "error_log stderr;",
                    "access_log /var/log/nginx/access.log combined;": f"access_log {directory}/access.log combined;",
                    "server 127.0.0.1:8081;": f"server {gate};",
                    "server 127.0.0.1:3000;": f"server {upstream};",
                    "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
                    "server_name api.example.com;": "server_name localhost;",
                    "/etc/nginx/tls/fullchain.pem": str(certificate),
                    "/etc/nginx/tls/privkey.pem": str(key),
                },
            )
        )
        # In the foreground; and where root starts it, as root, so that the workers may open the gate's socket.
        return Program(
            [str(NGINX), "-e", "stderr", "-c", str(configuration), "-g", "daemon off; user root;"], directory / "log"
        )


class Caddy(Gateway):
    name = "caddy"

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        example = (EXAMPLES / "caddy" / "Caddyfile").read_text()
        configuration = directory / "Caddyfile"
        configuration.write_text(
            replaced(
                example,
                {
                    "\napi.example.com {": f"\nlocalhost:{self.port} {{",
                    "bind 0.0.0.0 [::]": "bind 127.0.0.1",
                    "/etc/caddy/tls/fullchain.pem": str(certificate),
                    "/etc/caddy/tls/privkey.pem": str(key),
                    "forward_auth 127.0.0.1:8081 {": f"forward_auth {gate.replace('unix:', 'unix/')} {{",
                    "reverse_proxy 127.0.0.1:3000": f"reverse_proxy {upstream}",
                },
            )
        )
        environment = {
            "HOME": str(directory),
            "XDG_DATA_HOME": str(directory / "data"),
            "XDG_CONFIG_HOME": str(directory / "config"),
            # Caddy's own API: on its usual port it would meet another Caddy's.
            "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
        }
        arguments = [str(CADDY), "run", "--config", str(configuration), "--adapter", "caddyfile"]
        return Program(arguments, directory / "log", environment)


class Traefik(Gateway):
    name = "traefik"
    # Its ForwardAuth has no way to copy a field of the gate's answer to the client's, but for cookies.
    reports_rate_limit = False
    unreachable_status = 500
    unreachable_has_envelope = False
    # Half a minute, which no setting changes.
    patience = None
    asks_unix_sockets = False

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        dynamic = directory / "dynamic.yml"
        dynamic.write_text(
            replaced(
                (EXAMPLES / "traefik" / "dynamic.yml").read_text(),
                {
                    "Host(`api.example.com`)": "Host(`localhost`)",
                    "http://127.0.0.1:8081/gate": f"http://{gate}/gate",
                    "http://127.0.0.1:3000": f"http://{upstream}",
                    "/etc/traefik/tls/fullchain.pem": str(certificate),
                    "/etc/traefik/tls/privkey.pem": str(key),
                },
            )
        )
        static = directory / "traefik.yml"
        static.write_text(
            replaced(
                (EXAMPLES / "traefik" / "traefik.yml").read_text(),
                {'":443"': f'"127.0.0.1:{self.port}"', "/etc/traefik/dynamic.yml": str(dynamic)},
            )
        )
        return Program([str(TRAEFIK), f"--configFile={static}"], directory / "log")


class Envoy(Gateway):
    name = "envoy"

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        example = (EXAMPLES / "envoy" / "envoy.yaml").read_text()
        configuration = directory / "envoy.yaml"
        configuration.write_text(
            replaced(
                example,
                {
                    "{address: 0.0.0.0, port_value: 443}": f"{{address: 127.0.0.1, port_value: {self.port}}}",
                    'domains: ["api.example.com"]': 'domains: ["localhost"]',
                    "{socket_address: {address: 127.0.0.1, port_value: 8081}}": _envoy_address(gate),
                    "{socket_address: {address: 127.0.0.1, port_value: 3000}}": _envoy_address(upstream),
                    "/etc/envoy/tls/fullchain.pem": str(certificate),
                    "/etc/envoy/tls/privkey.pem": str(key),
                },
            )
        )
        # Without hot restarts, which would share memory with another Envoy; and with no more workers than it needs.
        arguments = [str(ENVOY), "-c", str(configuration), "--disable-hot-restart", "--concurrency", "1"]
        return Program(arguments, directory / "log")


def _envoy_address(address: str) -> str:
    host, port = address.split(":")
    if host == "unix":
        return f"{{pipe: {{path: {port}}}}}"
    return f"{{socket_address: {{address: {host}, port_value: {port}}}}}"


GATEWAYS: list[type[Gateway]] = [Nginx, Caddy, Traefik, Envoy]

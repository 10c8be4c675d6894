"""The real gateways, with the very files that a user copies: addresses, ports and paths replaced, nothing else."""

from __future__ import annotations

from pathlib import Path

from gateways.reverse_proxy import ReverseProxy, replaced, run_caddy, run_nginx, run_traefik
from harness.processes import Program
from harness.programs import ENVOY, REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "gateways"


class Gateway(ReverseProxy):
    """A gateway in front of an upstream, with a gate, until it is stopped."""

    # Whether the rate limit's state reaches the client on responses to requests that were let through.
    reports_rate_limit = True
    # Whether it removes headers such as X-Keybearer-Anything, which Keybearer does not send.
    removes_unknown_names = True
    # What the client gets when the gate is down, and whether it is in the contract's envelope.
    unreachable_status = 503
    unreachable_has_envelope = True
    # How long it waits for a gate that takes the request and does not respond; None when that is too long for a test.
    patience: float | None = 5
    # Whether it can reach a gate on a Unix socket.
    uses_unix_sockets = True

    def _responds(self) -> bool:
        """Whether it has its configuration: with a route and without a key, it refuses."""
        try:
            return self.client.send().status in (401, 503)
        except OSError:
            return False


class Nginx(Gateway):
    name = "nginx"
    removes_unknown_names = False

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        replacements = {
            "pid /run/nginx.pid;": f"pid {directory}/nginx.pid;",
            "error_log /var/log/nginx/error.log;": "error_log stderr;",
            "access_log /var/log/nginx/access.log combined;": f"access_log {directory}/access.log combined;",
            "server 127.0.0.1:8081;": f"server {gate};",
            "server 127.0.0.1:3000;": f"server {upstream};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "server_name api.example.com;": "server_name localhost;",
            "/etc/nginx/tls/fullchain.pem": str(certificate),
            "/etc/nginx/tls/privkey.pem": str(key),
        }
        return run_nginx(directory, replaced((EXAMPLES / "nginx" / "nginx.conf").read_text(), replacements))


class Caddy(Gateway):
    name = "caddy"

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        replacements = {
            "\napi.example.com {": f"\nlocalhost:{self.port} {{",
            "bind 0.0.0.0 [::]": "bind 127.0.0.1",
            "/etc/caddy/tls/fullchain.pem": str(certificate),
            "/etc/caddy/tls/privkey.pem": str(key),
            "forward_auth 127.0.0.1:8081 {": f"forward_auth {gate.replace('unix:', 'unix/')} {{",
            "reverse_proxy 127.0.0.1:3000": f"reverse_proxy {upstream}",
        }
        return run_caddy(directory, replaced((EXAMPLES / "caddy" / "Caddyfile").read_text(), replacements))


class Traefik(Gateway):
    name = "traefik"
    # Its ForwardAuth has no way to copy a header of the gate's response to the client's, but for cookies.
    reports_rate_limit = False
    unreachable_status = 500
    unreachable_has_envelope = False
    # Half a minute, which no setting changes.
    patience = None
    uses_unix_sockets = False

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        replacements = {
            "Host(`api.example.com`)": "Host(`localhost`)",
            "http://127.0.0.1:8081/gate": f"http://{gate}/gate",
            "http://127.0.0.1:3000": f"http://{upstream}",
            "/etc/traefik/tls/fullchain.pem": str(certificate),
            "/etc/traefik/tls/privkey.pem": str(key),
        }
        dynamic = replaced((EXAMPLES / "traefik" / "dynamic.yml").read_text(), replacements)
        return run_traefik(directory, self.port, (EXAMPLES / "traefik" / "traefik.yml").read_text(), dynamic)


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

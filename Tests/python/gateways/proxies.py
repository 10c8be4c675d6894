"""Plain reverse proxies in front of the API and the dashboard, with the very files that a user copies."""

from __future__ import annotations

from pathlib import Path

from gateways.reverse_proxy import ReverseProxy, replaced, run_caddy, run_nginx, run_traefik
from harness.processes import Program
from harness.programs import HAPROXY, REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "proxies"


class Proxy(ReverseProxy):
    """A proxy in front of a Keybearer."""

    def _responds(self) -> bool:
        try:
            return self.client.send(target="/healthz").status == 200
        except OSError:
            return False


class Nginx(Proxy):
    name = "nginx"

    def _start(self, directory: Path, certificate: Path, key: Path, keybearer: str) -> Program:
        replacements = {
            # One worker: its connections to Keybearer are shared by all clients.
            "worker_processes auto;": "worker_processes 1;",
            "pid /run/nginx.pid;": f"pid {directory}/nginx.pid;",
            "error_log /var/log/nginx/error.log;": "error_log stderr;",
            "access_log /var/log/nginx/access.log combined;": f"access_log {directory}/access.log combined;",
            "server 127.0.0.1:8080;": f"server {keybearer};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "server_name yourapp.com;": "server_name localhost;",
            "/etc/nginx/tls/fullchain.pem": str(certificate),
            "/etc/nginx/tls/privkey.pem": str(key),
        }
        return run_nginx(directory, replaced((EXAMPLES / "nginx" / "nginx.conf").read_text(), replacements))


class HAProxy(Proxy):
    name = "haproxy"

    def _start(self, directory: Path, certificate: Path, key: Path, keybearer: str) -> Program:
        both = directory / "both.pem"
        both.touch(mode=0o600)
        both.write_text(certificate.read_text() + key.read_text())
        configuration = directory / "haproxy.cfg"
        configuration.write_text(
            replaced(
                (EXAMPLES / "haproxy" / "haproxy.cfg").read_text(),
                {
                    "    user haproxy\n    group haproxy\n": "",
                    "bind :443 ssl crt /etc/haproxy/tls/yourapp.com.pem": f"bind 127.0.0.1:{self.port} ssl crt {both}",
                    "server keybearer 127.0.0.1:8080": f"server keybearer {keybearer}",
                },
            )
        )
        return Program([str(HAPROXY), "-db", "-f", str(configuration)], directory / "log")


class Caddy(Proxy):
    name = "caddy"

    def _start(self, directory: Path, certificate: Path, key: Path, keybearer: str) -> Program:
        replacements = {
            "\nyourapp.com {": f"\nlocalhost:{self.port} {{\n\tbind 127.0.0.1",
            "/etc/caddy/tls/fullchain.pem": str(certificate),
            "/etc/caddy/tls/privkey.pem": str(key),
            "reverse_proxy 127.0.0.1:8080": f"reverse_proxy {keybearer}",
        }
        return run_caddy(directory, replaced((EXAMPLES / "caddy" / "Caddyfile").read_text(), replacements))


class Traefik(Proxy):
    name = "traefik"

    def _start(self, directory: Path, certificate: Path, key: Path, keybearer: str) -> Program:
        replacements = {
            "Host(`yourapp.com`)": "Host(`localhost`)",
            '"http://127.0.0.1:8080"': f'"http://{keybearer}"',
            "/etc/traefik/tls/fullchain.pem": str(certificate),
            "/etc/traefik/tls/privkey.pem": str(key),
        }
        dynamic = replaced((EXAMPLES / "traefik" / "dynamic.yml").read_text(), replacements)
        return run_traefik(directory, self.port, (EXAMPLES / "traefik" / "traefik.yml").read_text(), dynamic)


PROXIES: list[type[Proxy]] = [Nginx, HAProxy, Caddy, Traefik]

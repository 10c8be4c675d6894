"""Plain reverse proxies in front of the API and the dashboard, with the very files that a user copies."""

from __future__ import annotations

from pathlib import Path

from client import Client
from gateways import replaced
from keybearer_process import CLIENT_ADDRESS
from processes import CADDY, HAPROXY, NGINX, REPOSITORY, TRAEFIK, Program, free_port

EXAMPLES = REPOSITORY / "examples" / "proxies"


class Proxy:
    """A proxy in front of a Keybearer, over TLS, until it is stopped."""

    name: str

    def __init__(self, directory: Path, certificate: Path, key: Path, keybearer: str):
        directory.mkdir(parents=True)
        self.port = free_port()
        self.program = self._start(directory, certificate, key, keybearer)
        self.client = Client(self.port, certificate, CLIENT_ADDRESS)
        self.program.wait_until(self._answers, f"{self.name} answered")

    def _start(self, directory: Path, certificate: Path, key: Path, keybearer: str) -> Program:
        raise NotImplementedError

    def _answers(self) -> bool:
        try:
            return self.client.send(target="/healthz").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        self.program.stop()


class Nginx(Proxy):
    name = "nginx"

    def _start(self, directory: Path, certificate: Path, key: Path, keybearer: str) -> Program:
        configuration = directory / "nginx.conf"
        configuration.write_text(
            replaced(
                (EXAMPLES / "nginx" / "nginx.conf").read_text(),
                {
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
                },
            )
        )
        return Program(
            [str(NGINX), "-e", "stderr", "-c", str(configuration), "-g", "daemon off; user root;"], directory / "log"
        )


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
        configuration = directory / "Caddyfile"
        configuration.write_text(
            replaced(
                (EXAMPLES / "caddy" / "Caddyfile").read_text(),
                {
                    "\nyourapp.com {": f"\nlocalhost:{self.port} {{\n\tbind 127.0.0.1",
                    "/etc/caddy/tls/fullchain.pem": str(certificate),
                    "/etc/caddy/tls/privkey.pem": str(key),
                    "reverse_proxy 127.0.0.1:8080": f"reverse_proxy {keybearer}",
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


class Traefik(Proxy):
    name = "traefik"

    def _start(self, directory: Path, certificate: Path, key: Path, keybearer: str) -> Program:
        dynamic = directory / "dynamic.yml"
        dynamic.write_text(
            replaced(
                (EXAMPLES / "traefik" / "dynamic.yml").read_text(),
                {
                    "Host(`yourapp.com`)": "Host(`localhost`)",
                    '"http://127.0.0.1:8080"': f'"http://{keybearer}"',
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


PROXIES: list[type[Proxy]] = [Nginx, HAProxy, Caddy, Traefik]

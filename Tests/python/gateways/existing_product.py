"""The gateways of examples/existing-product, with the very files that a user copies: addresses and paths replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateways.reverse_proxy import ReverseProxy, replaced, run_caddy, run_nginx, start_traefik
from harness.ports import free_port
from harness.processes import Program
from harness.programs import ENVOY, REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "existing-product"

# What nginx.conf of Debian has around the files of the example.
NGINX = """
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ }}
http {{
    include conf.d/*.conf;
    include sites-enabled/*;
}}
"""


class ProductGateway(ReverseProxy):
    """A gateway in front of a product, with Keybearer for a part of its paths."""

    # Whether the rate limit's state and the request's id reach the client on responses to requests that passed.
    reports = True
    # Whether a request that Keybearer does not see gets an id.
    makes_ids = True
    # Whether a key that is the password of HTTP Basic is found.
    reads_passwords = True
    # Whether its access log has what a client claims to be, if Keybearer refuses the request.
    logs_claims = False
    # What the client gets when the gate is down.
    unreachable_status = 503

    def _responds(self) -> bool:
        """Whether it has its configuration: without a key, it refuses."""
        try:
            return self.client.send().status in (401, self.unreachable_status)
        except OSError:
            return False

    @property
    def access_log(self) -> str:
        """What it wrote so far of the requests."""
        file = self._directory / "access.log"
        return file.read_text() if file.exists() else ""


class ExistingNginx(ProductGateway):
    name = "nginx"
    reads_passwords = False

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        for folder in ("conf.d", "keybearer", "sites-enabled"):
            (directory / folder).mkdir()
        http = replaced((EXAMPLES / "nginx/http.conf").read_text(), {"server 127.0.0.1:8081;": f"server {gate};"})
        (directory / "conf.d/keybearer.conf").write_text(http)
        for name in ("server.conf", "protected.conf", "open.conf"):
            shutil.copy(EXAMPLES / "nginx" / name, directory / "keybearer")
        replacements = {
            "server 127.0.0.1:3000;": f"server {upstream};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "server_name api.example.com;": "server_name localhost;",
            "/etc/nginx/tls/fullchain.pem": str(certificate),
            "/etc/nginx/tls/privkey.pem": str(key),
            "/var/log/nginx/access.log": f"{directory}/access.log",
        }
        product = replaced((EXAMPLES / "nginx/product.conf").read_text(), replacements)
        (directory / "sites-enabled/product").write_text(product)
        return run_nginx(directory, NGINX.format(directory=directory))


class ExistingCaddy(ProductGateway):
    name = "caddy"

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        helper = str(free_port())
        keybearer = (EXAMPLES / "caddy/keybearer.caddy").read_text()
        replacements = {
            "127.0.0.1:8081 {": f"{gate} {{",
            "127.0.0.1:8082 {": f"127.0.0.1:{helper} {{",
            "http://:8082 {": f"http://:{helper} {{",
        }
        (directory / "keybearer.caddy").write_text(replaced(keybearer, replacements))
        replacements = {
            "\napi.example.com {": f"\nlocalhost:{self.port} {{",
            "bind 0.0.0.0 [::]": "bind 127.0.0.1",
            "/etc/caddy/tls/fullchain.pem": str(certificate),
            "/etc/caddy/tls/privkey.pem": str(key),
            "/var/log/caddy/access.log": f"{directory}/access.log",
            "reverse_proxy 127.0.0.1:3000": f"reverse_proxy {upstream}",
        }
        return run_caddy(directory, replaced((EXAMPLES / "caddy/Caddyfile").read_text(), replacements))


class ExistingTraefik(ProductGateway):
    name = "traefik"
    # ForwardAuth cannot copy a header of the gate's response to the client's, and Traefik makes no ids.
    reports = makes_ids = False
    logs_claims = True
    unreachable_status = 500

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        ping = f"127.0.0.1:{free_port()}"
        (directory / "dynamic").mkdir()
        shutil.copytree(EXAMPLES / "traefik/plugins-local", directory / "plugins-local")
        keybearer = (EXAMPLES / "traefik/keybearer.yml").read_text()
        replacements = {"http://127.0.0.1:8081/gate": f"http://{gate}/gate", "127.0.0.1:8082": ping}
        (directory / "dynamic/keybearer.yml").write_text(replaced(keybearer, replacements))
        replacements = {
            "http://127.0.0.1:3000": f"http://{upstream}",
            "/etc/traefik/tls/fullchain.pem": str(certificate),
            "/etc/traefik/tls/privkey.pem": str(key),
        }
        product = replaced((EXAMPLES / "traefik/product.yml").read_text(), replacements)
        (directory / "dynamic/product.yml").write_text(product.replace("api.example.com", "localhost"))
        replacements = {
            '":443"': f'"127.0.0.1:{self.port}"',
            "127.0.0.1:8082": ping,
            "/etc/traefik/dynamic": str(directory / "dynamic"),
            "/var/log/traefik/access.log": f"{directory}/access.log",
        }
        (directory / "traefik.yml").write_text(replaced((EXAMPLES / "traefik/traefik.yml").read_text(), replacements))
        return start_traefik(directory)


class ExistingEnvoy(ProductGateway):
    name = "envoy"

    def _start(self, directory: Path, certificate: Path, key: Path, gate: str, upstream: str) -> Program:
        def address(of: str) -> str:
            host, port = of.split(":")
            return f"{{address: {host}, port_value: {port}}}"

        replacements = {
            "{address: 0.0.0.0, port_value: 443}": f"{{address: 127.0.0.1, port_value: {self.port}}}",
            'domains: ["api.example.com"]': 'domains: ["localhost"]',
            "{address: 127.0.0.1, port_value: 8081}": address(gate),
            "{address: 127.0.0.1, port_value: 3000}": address(upstream),
            "/etc/envoy/tls/fullchain.pem": str(certificate),
            "/etc/envoy/tls/privkey.pem": str(key),
            "/etc/envoy/other-headers.lua": str(EXAMPLES / "envoy/other-headers.lua"),
            "/var/log/envoy/access.log": f"{directory}/access.log",
        }
        configuration = directory / "envoy.yaml"
        configuration.write_text(replaced((EXAMPLES / "envoy/envoy.yaml").read_text(), replacements))
        # With a log that is written before a test has waited for long.
        arguments = ["--disable-hot-restart", "--concurrency", "1", "--file-flush-interval-msec", "50"]
        return Program([str(ENVOY), "-c", str(configuration), *arguments], directory / "log")


EXISTING: list[type[ProductGateway]] = [ExistingNginx, ExistingCaddy, ExistingTraefik, ExistingEnvoy]

"""A dashboard below a path of the product's host: the nginx in front, with the very files that a user copies."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Self

from gateways.reverse_proxy import replaced, run_nginx
from harness.ports import is_open
from harness.processes import Program
from harness.programs import REPOSITORY

HOST = "app.test"
BASE = "/developers"
URL = f"https://{HOST}{BASE}"
SUPPORT_URL = "https://help.test/keys?a=1&b=2"
EXAMPLES = REPOSITORY / "examples" / "existing-product" / "nginx"
# A mark that would ask for a path if any script of it ran.
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" onload="fetch('has-run')">
<script>fetch('has-run'); document.documentElement.append(new Image().src = 'has-run')</script>
<style>.disc { fill: #c2185b; }</style>
<circle class="disc" cx="16" cy="16" r="15"/><path d="M10 22l6-13 6 13" fill="none" stroke="#fff" stroke-width="3"/>
</svg>
"""
CONFIGURATION = """
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    log_format asked '$request_method $request_uri';
    access_log {directory}/asked asked;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {host};
        ssl_certificate {directory}/certificate.pem;
        ssl_certificate_key {directory}/key.pem;
        location / {{ return 404; }}
        {dashboard}
    }}
}}
"""


class Place:
    """`https://app.test/developers`, behind an nginx that strips the path or does not. All of the brand is set."""

    base = BASE
    url = URL
    product = "Acme"
    cookie_name = "__Secure-key-dashboard"
    # What the requests of tests to the server itself carry: they come from the address of nginx.
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}

    def __init__(self, directory: Path, port: int, strips: bool):
        directory.mkdir(parents=True)
        self._directory = directory
        self._port = port
        # Where nginx listens.
        self.address = f"127.0.0.1:{port}"
        self._example = (EXAMPLES / ("dashboard-stripped.conf" if strips else "dashboard.conf")).read_text()
        self._nginx: Program | None = None
        logo = directory / "logo"
        logo.write_text(LOGO)
        self.environment = {
            "KEYBEARER_PUBLIC_URL": URL, "KEYBEARER_TRUSTED_PROXIES": "127.0.0.1", "KEYBEARER_PRODUCT_NAME": self.product,
            "KEYBEARER_PRODUCT_LOGO": str(logo), "KEYBEARER_SUPPORT_URL": SUPPORT_URL,
            "KEYBEARER_ACCENT_COLOR": "#c2185b",
        }

    def start(self, keybearer: str) -> None:
        """Starts nginx in front of a server, `localhost:port`."""
        # RSA keys take long to make.
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
                "-out", self._directory / "certificate.pem", "-keyout", self._directory / "key.pem",
            ],
            check=True, capture_output=True, timeout=60,
        )
        dashboard = replaced(
            self._example, {"proxy_pass http://127.0.0.1:8080": f"proxy_pass http://{keybearer.replace('localhost', '127.0.0.1')}"}
        )
        configuration = CONFIGURATION.format(directory=self._directory, port=self._port, host=HOST, dashboard=dashboard)
        self._nginx = run_nginx(self._directory, configuration)
        self._nginx.wait_until(lambda: is_open(self._port), "nginx listened")

    @property
    def asked(self) -> list[str]:
        """What browsers asked for so far, such as `GET /developers/sign-in`."""
        file = self._directory / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        """Ends nginx; browsers asked for nothing outside the path."""
        if self._nginx is None:
            return
        self._nginx.end()
        outside = [line for line in self.asked if not re.match(rf"[A-Z]+ {BASE}([/?]|$)", line)]
        assert not outside, f"Browsers asked for paths outside of {BASE}: {outside}"

"""Two sites over HTTPS: Keybearer at one, and pages that show it in a frame at others."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from browser.dashboard_server import DashboardServer
from harness.programs import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "existing-product" / "frame" / "settings.html"
KEYS, PRODUCT, STRANGER, TRACKER = "keys.test", "app.test", "stranger.test", "tracker.test"
# A product at a host beside Keybearer's: to a browser the same site.
SIBLING = "app.keys.test"
HOSTS = (KEYS, PRODUCT, STRANGER, TRACKER, SIBLING)


class Certificate:
    """A self-signed certificate for all of these hosts."""

    def __init__(self, directory: Path):
        self.certificate, self.key = directory / "certificate.pem", directory / "key.pem"
        names = ",".join(f"DNS:{host}" for host in HOSTS)
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={KEYS}", "-addext", f"subjectAltName={names}", "-out", self.certificate,
                "-keyout", self.key,
            ],
            check=True, capture_output=True, timeout=60,
        )

    def client(self) -> ssl.SSLContext:
        """For clients that trust this certificate alone, at any name of this machine."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.check_hostname = False
        return context


class SecureServer(DashboardServer):
    """`keybearer serve` with a certificate, at `https://keys.test`."""

    @classmethod
    def start_at(cls, directory: Path, certificate: Certificate, *options: str) -> SecureServer:
        """On the data of a demonstration."""
        server = cls(directory, directory / "serve-log.jsonl", ())
        server.tls = certificate.client()
        server.origin = f"https://{KEYS}:{server.port}"
        server.settings = [
            "--tls-certificate", str(certificate.certificate), "--tls-key", str(certificate.key),
            "--public-url", server.origin, *options,
        ]
        server.start()
        server.address = f"127.0.0.1:{server.port}"
        return server


class FramingSite:
    """Answers at every host but Keybearer's. `/settings` is the example's page, with a new link at each load; `/control`
    has a frame of another site, whose page sets a cookie of each kind and says which came back."""

    def __init__(self, certificate: Certificate):
        self.make_link: Callable[[], str] = lambda: "about:blank"
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cookies: list[str] = []
                if self.path.startswith("/settings"):
                    # The name is for a form of this page that is sent into the frame.
                    text = EXAMPLE.read_text().replace("<iframe ", '<iframe name="inside" ')
                    if "reason" not in self.path:
                        text = text.replace("PORTAL_LINK", site.make_link())
                elif self.path == "/control":
                    text = f"<!doctype html><title>Control</title><iframe src={site.origin(TRACKER)}/></iframe>"
                else:
                    text = f"<!doctype html><title>Tracker</title><p>{self.headers.get('Cookie', 'none')}"
                    attributes = "Path=/; Secure; SameSite=None"
                    cookies = [f"plain=1; {attributes}", f"parted=1; {attributes}; Partitioned"]
                body = text.encode()
                self.send_response(200)
                for cookie in cookies:
                    self.send_header("Set-Cookie", cookie)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Writes nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        # The handshake is made by the connection's own thread, at its first read.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.return_url = f"{self.origin(PRODUCT)}/settings"

    def origin(self, host: str) -> str:
        return f"https://{host}:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

"""SIGHUP: the ``TLSListener`` reads its certificate again (``CurrentCertificates``)."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from gateways.listening_server import ListeningServer
from gateways.stages import connect, over_tls


def test_sighup_reads_the_certificate_again_and_loses_nothing(tmp_path: Path, certificate) -> None:
    directory = tmp_path / "tls"
    directory.mkdir()
    files = (directory / "certificate.pem", directory / "key.pem")
    for source, target in zip(certificate, files):
        target.write_bytes(source.read_bytes())
    server = ListeningServer(tmp_path, files)
    try:
        listener = server.listeners[0]
        open_connection = over_tls(connect(server.addresses[listener.name]), "http/1.1")
        first = open_connection.getpeercert(binary_form=True)
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=second",
                "-out", files[0], "-keyout", files[1],
            ],
            check=True, capture_output=True, timeout=60,
        )
        server.program.send_signal(signal.SIGHUP)
        server.program.wait_until(lambda: "Reloaded." in server.program.log, "the certificate was read again")
        second = over_tls(connect(server.addresses[listener.name]), "http/1.1").getpeercert(binary_form=True)
        assert second != first
        # A file that cannot be used changes nothing.
        files[0].write_text("no certificate")
        server.program.send_signal(signal.SIGHUP)
        server.program.wait_until(lambda: "Reload failed" in server.program.log, "the failure was logged")
        third = over_tls(connect(server.addresses[listener.name]), "http/1.1").getpeercert(binary_form=True)
        assert third == second
        open_connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert open_connection.recv(15) == b"HTTP/1.1 200 OK"
    finally:
        server.stop()

"""What HTTP/2 adds to a connection: 100 Continue on a stream, and idleness of the whole connection."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

from gateways.listening_server import HEAD_SECONDS, IDLE_SECONDS, ListeningServer
from gateways.stages import PREFACE, SETTINGS, block, connect, frame, over_tls

# `:status: 100` as HPACK has it: the name from the table, the value in Huffman's code.
STATUS_100 = b"H\x82\x08\x01"


def frames(connection: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """The frames that come: their type, flags and payload."""
    stream = connection.makefile("rb")
    while len(start := stream.read(9)) == 9:
        yield start[3], start[4], stream.read(int.from_bytes(start[:3], "big"))


def test_http2_requests_a_body_that_expects_100_continue(tmp_path: Path, certificate) -> None:
    server = ListeningServer(tmp_path, tuple(certificate))
    try:
        connection = over_tls(connect(server.addresses["public over TLS, HTTP/2"]), "h2")
        headers = (
            ("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", "1"), ("expect", "100-continue"),
        )
        connection.sendall(PREFACE + SETTINGS + frame(1, 4, 1, block("POST", "/sign-in", *headers)))
        heads = (one for one in frames(connection) if one[0] == 1)
        kind, flags, payload = next(heads)
        assert payload == STATUS_100 and not flags & 1, "100 Continue, and the stream goes on"
        connection.sendall(frame(0, 1, 1, b"%"))
        kind, flags, payload = next(heads)
        assert payload != STATUS_100, "the answer itself"
    finally:
        server.stop()


def test_http2_is_idle_for_its_whole_time_whatever_its_reads_held(tmp_path: Path, certificate) -> None:
    server = ListeningServer(tmp_path, tuple(certificate))
    try:
        connection = over_tls(connect(server.addresses["public over TLS, HTTP/2"]), "h2")
        connection.sendall(PREFACE + SETTINGS)
        coming = frames(connection)
        # Each request in a read of its own, with no frame of the connection beside it.
        for stream in (1, 3):
            connection.sendall(frame(1, 5, stream, block("GET", "/healthz")))
            while not (one := next(coming))[0] == 0 or not one[1] & 1:
                pass
        responded_at = time.monotonic()
        rest = list(coming)
        taken = time.monotonic() - responded_at
        assert taken > IDLE_SECONDS - 1 > HEAD_SECONDS, f"closed after {taken:.1f} s"
        assert [one[0] for one in rest] == [7], "and it says goodbye"
    finally:
        server.stop()

"""The API behind the gateway: it writes down every request that reaches it, and echoes it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """A request as it came. Headers are a list, in order, with their names as they were spelled."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """The values of every header whose name a lax server would read as this one."""
        return [value for each, value in self.headers if normalised(each) == name]

    def identity(self) -> list[tuple[str, str]]:
        """Every header that a lax server could take for one of Keybearer's, sorted."""
        return sorted(
            (normalised(name), value) for name, value in self.headers if normalised(name).startswith("x-keybearer-")
        )


def normalised(name: str) -> str:
    """A header's name as CGI, WSGI and the like confuse it: in one case, with one separator."""
    return name.lower().replace("_", "-").replace(".", "-")


class Upstream:
    """Serves on a free port until it is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: list[Received] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Longer than gateways keep a connection without a request (nginx: 60 s). Where the server closes first, a POST
            # can meet the end of its connection, and no gateway sends a POST a second time.
            timeout = 300
            # Head and body are written one after the other: with Nagle's algorithm the body waits 40 ms for an ACK.
            disable_nagle_algorithm = True

            def response(self) -> None:
                body, trailers = self.read_body()
                received = Received(self.command, self.path, [*self.headers.raw_items(), *trailers], body)
                with upstream._lock:
                    upstream._received.append(received)
                echo = json.dumps({"method": self.command, "target": self.path, "length": len(body)}).encode()
                self.send_response(int(self.headers.get("X-Wanted-Status", "200")))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(echo)))
                self.send_header("X-Upstream", "reached")
                # What an API behind the gateway might say of ids and limits of its own.
                self.send_header("X-Request-Id", "of-the-api")
                self.send_header("RateLimit", '"upstream";r=1;t=1')
                self.send_header("X-RateLimit-Remaining", "999999")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(echo)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_PROPFIND = response

            def read_body(self) -> tuple[bytes, list[tuple[str, str]]]:
                """The body, and the trailers of a chunked one: some servers merge them into the headers."""
                if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
                    return self.rfile.read(int(self.headers.get("Content-Length", "0"))), []
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                trailers = []
                while (line := self.rfile.readline().decode("latin-1").strip()) != "":
                    name, _, value = line.partition(":")
                    trailers.append((name, value.strip()))
                return body, trailers

            def log_message(self, *_: object) -> None:
                """Logs nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # A connection that a gateway still has open must not hold up the end.
        self._server.block_on_close = False
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def take(self) -> list[Received]:
        """Returns what came since the last time, once."""
        with self._lock:
            received, self._received = self._received, []
        return received

    def take_one(self) -> Received:
        """The one request that came."""
        received = self.take()
        assert len(received) == 1, received
        return received[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

"""Regenerates keys at a pace through the API until it is terminated.

    churn.py PORT RATE FILE

FILE has the keys of the accounts, one a line, which take turns. Prints `ready`, and at the end JSON with how many keys
were `regenerated`, so it can be exchanged for any other program that does both. A process of its own: its work must
not slow the client that measures. It stands for clients on other machines, so it does as little as it can: one request
after the other on one connection, in bytes. Not in step with anything: at an even pace each round would have all of them
meet the same moment between two of the requests that are measured.
"""

import json
import os
import random
import re
import signal
import socket
import sys
import time

REQUEST = (b"POST /api/v1/key/regenerate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n"
           b"Authorization: Bearer %b\r\n\r\n")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
KEY = re.compile(rb'"key":"([^"]+)"')


class Connection:
    """Sends and reads the whole response. What fails ends the program, which fails the run."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> tuple[bytes, bytes]:
        """The status and the body of the response."""
        self.socket.sendall(request)
        response = b""
        while True:
            received = self.socket.recv(65_536)
            if not received:
                sys.exit("churn: the server closed the connection")
            response += received
            head, end, body = response.partition(b"\r\n\r\n")
            if end and len(body) >= int(LENGTH.search(head + b"\r\n")[1]):
                return head[9:12], body


def main() -> None:
    os.nice(19)
    port, rate, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    with open(path, "rb") as file:
        keys = file.read().split()
    stopped = False

    def stop(*_) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    connection, interval = Connection(port), 1 / rate
    print("ready", flush=True)
    turn = regenerated = 0
    due = time.monotonic()
    while not stopped:
        # What was missed is not made up for: a burst would be another load than the one that is wanted.
        due = max(due + random.uniform(0.5, 1.5) * interval, time.monotonic() - interval)
        time.sleep(max(0, due - time.monotonic()))
        status, body = connection.send(REQUEST % keys[turn])
        if status == b"200":
            keys[turn] = KEY.search(body)[1]
            regenerated += 1
        turn = (turn + 1) % len(keys)
    # The next run goes on with the keys as they are now.
    with open(path, "wb") as file:
        file.writelines(key + b"\n" for key in keys)
    print(json.dumps({"regenerated": regenerated}), flush=True)


if __name__ == "__main__":
    main()

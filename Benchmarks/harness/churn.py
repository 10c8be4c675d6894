"""Regenerates keys at a pace through the API until it is terminated.

    churn.py PORT RATE FILE

FILE has the keys of the accounts, one a line, which take turns. Prints `ready`, and at the end JSON with how many keys
were `regenerated`, so it can be exchanged for any other program that does both. A process of its own: its work must
not slow the client that measures.
"""

import http.client
import json
import os
import signal
import sys
import threading
import time

WORKERS = 8


class Pace:
    """Tells each worker when its next request is due."""

    def __init__(self, rate: float):
        self.interval = 1 / rate
        self.lock = threading.Lock()
        self.next = time.monotonic()

    def wait(self) -> None:
        with self.lock:
            # What was missed is not made up for: a burst would be another load than the one that was asked for.
            self.next = max(self.next + self.interval, time.monotonic() - self.interval)
            due = self.next
        time.sleep(max(0, due - time.monotonic()))


def regenerate(port: int, keys: list[str], pace: Pace, stop: threading.Event, counts: dict, lock: threading.Lock):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    turn = 0
    while not stop.is_set():
        pace.wait()
        place = turn % len(keys)
        turn += 1
        try:
            connection.request("POST", "/api/v1/key/regenerate", headers={"Authorization": f"Bearer {keys[place]}"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            continue
        with lock:
            counts[answer.status] = counts.get(answer.status, 0) + 1
        if answer.status == 200:
            keys[place] = json.loads(body)["data"]["key"]


def main() -> None:
    # It stands for clients on other machines, whose work costs this one nothing.
    os.nice(19)
    port, rate, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    with open(path) as file:
        keys = file.read().split()
    stop, lock, counts, pace = threading.Event(), threading.Lock(), {}, Pace(rate)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # Each worker has accounts of its own: two that replace one key would each hold a dead one.
    parts = [part for number in range(WORKERS) if (part := keys[number::WORKERS])]
    workers = [
        threading.Thread(target=regenerate, args=(port, part, pace, stop, counts, lock)) for part in parts
    ]
    for worker in workers:
        worker.start()
    print("ready", flush=True)
    stop.wait()
    for worker in workers:
        worker.join()
    # The next run goes on with the keys as they are now.
    with open(path, "w") as file:
        file.writelines(f"{key}\n" for part in parts for key in part)
    print(json.dumps({"regenerated": counts.get(200, 0), "statuses": counts}), flush=True)


if __name__ == "__main__":
    main()

"""Requests on all nodes, with live keys and with keys that have just died, as fast as is sensible."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from cluster.client import NO_RESPONSE, Client, TimedResponse
from cluster.nodes import Cluster, Node
from cluster.trail import UNAUTHORIZED, Trail

_PAUSE = 0.004


class Load:
    """Threads that send every node the accounts' keys, through its API and its gate, until the block ends.

    On each node one sends live keys and replaced ones. Another goes on sending a key that the node has let pass, and so
    has in its cache, until the node refuses it: a node that is cut off cannot decide about keys that it has not seen,
    and a thread that sends one learns nothing else meanwhile.
    """

    def __init__(self, cluster: Cluster, trails: list[Trail], seed: object):
        self._trails = trails
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(body, node, random.Random(f"{seed} {node.name} {body.__name__}")),
                             daemon=True)
            for node in cluster.nodes for body in (self._send_all, self._send_cached)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        for failure in self._failures:
            raise failure

    def _run(self, body: Callable, node: Node, choice: random.Random) -> None:
        client, gateway = Client(node.port), Client(node.gate_port)

        def send(trail: Trail, token: str) -> TimedResponse:
            response = gateway.get_gate(token) if choice.random() < 0.5 else client.get(token)
            trail.record(token, node.name, response)
            time.sleep(0.05 if response.status == NO_RESPONSE else _PAUSE)
            return response

        try:
            body(send, choice)
        except BaseException as failure:
            self._failures.append(failure)
        finally:
            client.close()
            gateway.close()

    def _send_all(self, send: Callable[[Trail, str], TimedResponse], choice: random.Random) -> None:
        while not self._stop.is_set():
            trail = choice.choice(self._trails)
            replaced = trail.recently_replaced()
            send(trail, choice.choice(replaced) if replaced and choice.random() < 0.4 else trail.current)

    def _send_cached(self, send: Callable[[Trail, str], TimedResponse], choice: random.Random) -> None:
        trail = self._trails[0]
        token = trail.current
        while not self._stop.is_set():
            if send(trail, token).status == UNAUTHORIZED:
                token = trail.current

"""Requests on all nodes, with live keys and with keys that have just died, as fast as is sensible."""

from __future__ import annotations

import random
import threading
import time

from client import NO_ANSWER, Client
from nodes import Cluster, Node
from trail import Trail

_PAUSE = 0.004


class Load:
    """Threads that ask every node about the accounts' keys, until the block ends."""

    def __init__(self, cluster: Cluster, trails: list[Trail], seed: object, per_node: int = 2):
        self._trails = trails
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(node, random.Random(f"{seed} {node.name} {number}")), daemon=True)
            for node in cluster.nodes for number in range(per_node)
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

    def _run(self, node: Node, choice: random.Random) -> None:
        client, gateway = Client(node.port), Client(node.gate_port)
        try:
            while not self._stop.is_set():
                trail = choice.choice(self._trails)
                dead = trail.recently_dead()
                token = choice.choice(dead) if dead and choice.random() < 0.4 else trail.current
                answer = gateway.ask_gate(token) if choice.random() < 0.5 else client.get(token)
                trail.note(token, node.name, answer)
                time.sleep(0.05 if answer.status == NO_ANSWER else _PAUSE)
        except BaseException as failure:
            self._failures.append(failure)
        finally:
            client.close()
            gateway.close()

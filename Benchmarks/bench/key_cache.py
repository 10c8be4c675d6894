"""Requests a second of a gate with many accounts in its cache, beside one with only those that are sent."""

import dataclasses
import os
import random
import time

from . import latency, throughput
from .keybearer import Keybearer
from .processes import print_progress
from .subject import Subject

# How many are in the cache in `make bench`. A million take longer to fetch than what it may take.
COUNT = 100_000
# How many are sent, in turn.
REQUESTED = 1_000
ROUND_SECONDS = 2
# Of the requests a second with few in the cache.
AIM = 0.9
FILL_RATE = 6_000
FILL_CONNECTIONS = 512
# What the server may use of a core when the work of earlier requests is done; it renews leases and looks for changes.
CALM = 0.04
CALM_PATIENCE = 30
# Seconds from when the first was fetched until what the last took of an allowance has ended: its use lasts 30 s.
RELEASED_SECONDS = 50

# Sends the keys of a file in turn.
SCRIPT = """\
local requests, turn = {{}}, 0
function init()
    for key in io.lines("{keys}") do
        wrk.headers["Authorization"] = "Bearer " .. key
        requests[#requests + 1] = wrk.format()
    end
end
function request()
    turn = turn % #requests + 1
    return requests[turn]
end
"""


@dataclasses.dataclass
class Measured:
    count: int
    requested: int
    # Whether the server had done the work of earlier requests.
    is_calm: bool
    rounds: dict[str, list[throughput.Round]]

    @property
    def ratio(self) -> float:
        return throughput.ratio(self.rounds, "many", "few")


def script(paced: latency.Paced, name: str, keys: list[str]) -> str:
    path = os.path.join(paced.directory, f"{name}.lua")
    with open(path, "w") as file:
        file.write(SCRIPT.format(keys=paced.tokens(name, keys)))
    return path


def measure(many: Keybearer, keys: list[str], few: Keybearer, few_keys: list[str], paced: latency.Paced, count: int,
            rounds: int) -> Measured:
    """Both servers run, each alone on its own database, as `serve` does on SQLite.

    - Parameters:
        keys: in the order of the database, in which they are fetched fastest.
        few_keys: all that the other server gets.
    """
    requested = random.sample(keys[:count], len(few_keys))
    print_progress(f"The gate with {count:,} accounts in its cache: filling it")
    began = time.monotonic()
    count = fill(many, paced, keys[:count])
    subjects = [subject(few, "few", few_keys, paced), subject(many, "many", requested, paced)]
    is_calm = becomes_calm(many, began)
    return Measured(count, len(requested), is_calm, throughput.measure(subjects, rounds, ROUND_SECONDS))


def becomes_calm(server: Keybearer, began: float) -> bool:
    """Waits until last uses are written and what was reserved and not used is released, which begins when the life of
    the first ends: no part of a warm request. Whether it was so within the time that there is."""
    time.sleep(max(0, began + RELEASED_SECONDS - time.monotonic()))
    deadline = time.monotonic() + CALM_PATIENCE
    used = server.process.processor_seconds()
    while used is not None and time.monotonic() < deadline:
        time.sleep(3)
        before, used = used, server.process.processor_seconds()
        if used is not None and used - before < 3 * CALM:
            return True
    return False


def fill(server: Keybearer, paced: latency.Paced, keys: list[str]) -> int:
    """Sends each key once, and returns how many were answered: a slow machine does not fetch all at this pace."""
    classes = f"good:{FILL_RATE}:{FILL_CONNECTIONS}:{paced.tokens('fill', keys)}"
    result = paced.run(server.gate(), len(keys) / FILL_RATE, 0, classes)["good"]
    latency.expect_statuses(result, {"200"}, f"{len(keys):,} accounts")
    return result["answered"]


def subject(server: Keybearer, name: str, keys: list[str], paced: latency.Paced) -> Subject:
    return dataclasses.replace(
        server.gate(), name=name, authorization=f"Bearer {keys[0]}", script=script(paced, name, keys))

"""Requests a second of a gate that remembers many accounts, beside one that remembers only those that are asked for."""

import dataclasses
import os
import random
import time

from . import latency, throughput
from .exchange import Subject
from .keybearer import Keybearer
from .processes import note

# How many are remembered in `make bench`. A million take longer to fetch than what it may take.
COUNT = 100_000
# How many are asked for, in turn.
ASKED = 1_000
ROUND_SECONDS = 2
# Of the requests a second with few remembered.
AIM = 0.9
FILL_RATE = 6_000
FILL_CONNECTIONS = 512
# What the server may use of a core when what it was asked before is put away; it renews leases and looks for changes.
CALM = 0.04
CALM_PATIENCE = 30
# Seconds from when the first was fetched until what the last took of an allowance has ended: its use lasts 30 s.
GIVEN_BACK = 50

# Asks with the keys of a file in turn.
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
    asked: int
    # Whether the server had put away what it was asked before.
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
        few_keys: all that the other server is asked for.
    """
    asked = random.sample(keys[:count], len(few_keys))
    note(f"The gate with {count:,} accounts remembered: asking for them")
    began = time.monotonic()
    count = fill(many, paced, keys[:count])
    subjects = [subject(few, "few", few_keys, paced), subject(many, "many", asked, paced)]
    is_calm = becomes_calm(many, began)
    return Measured(count, len(asked), is_calm, throughput.measure(subjects, rounds, ROUND_SECONDS))


def becomes_calm(server: Keybearer, began: float) -> bool:
    """Waits until last uses are written and what was reserved and not used is given back, which begins when the life of
    the first ends: no part of a warm request. Whether it was so within the time that there is."""
    time.sleep(max(0, began + GIVEN_BACK - time.monotonic()))
    deadline = time.monotonic() + CALM_PATIENCE
    used = server.process.processor_seconds()
    while used is not None and time.monotonic() < deadline:
        time.sleep(3)
        before, used = used, server.process.processor_seconds()
        if used is not None and used - before < 3 * CALM:
            return True
    return False


def fill(server: Keybearer, paced: latency.Paced, keys: list[str]) -> int:
    """Asks once with each key, and answers how many were answered: a slow machine does not fetch all at this pace."""
    classes = f"good:{FILL_RATE}:{FILL_CONNECTIONS}:{paced.tokens('fill', keys)}"
    told = paced.run(server.gate(), len(keys) / FILL_RATE, 0, classes)["good"]
    latency.expect_statuses(told, {"200"}, f"{len(keys):,} accounts")
    return told["answered"]


def subject(server: Keybearer, name: str, keys: list[str], paced: latency.Paced) -> Subject:
    return dataclasses.replace(
        server.gate(), name=name, authorization=f"Bearer {keys[0]}", script=script(paced, name, keys))

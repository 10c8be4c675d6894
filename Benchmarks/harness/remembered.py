"""Requests a second of a gate that remembers many accounts, beside one that remembers only those that are asked for."""

import dataclasses
import os
import random

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
FILL_RATE = 4_000
FILL_CONNECTIONS = 512

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
    rounds: dict[str, list[throughput.Round]]

    @property
    def ratio(self) -> float:
        return throughput.ratio(self.rounds, "many", "few")


def script(paced: latency.Paced, keys: list[str]) -> str:
    path = os.path.join(paced.directory, "cycle.lua")
    with open(path, "w") as file:
        file.write(SCRIPT.format(keys=paced.tokens("cycle", keys)))
    return path


def measure(many: Keybearer, paced: latency.Paced, keys: list[str], count: int, rounds: int) -> Measured:
    """- Parameters:
        many: a running server; beside it a second one is started on the same database.
        keys: in the order of the database, in which they are fetched fastest.
    """
    asked = random.sample(keys[:count], min(ASKED, count // 4))
    few = Keybearer(many.processes, many.binary, os.path.dirname(many.directory), has_gate=True, name="few")
    few.start(serve=True)
    note(f"The gate with {count:,} accounts remembered: asking for them")
    count = fill(many, paced, keys[:count])
    cycle = script(paced, asked)
    subjects = [subject(few, "few", asked[0], cycle), subject(many, "many", asked[0], cycle)]
    # Within the life of what was reserved for them: giving it back is work that has nothing to do with memory.
    measured = throughput.measure(subjects, rounds, ROUND_SECONDS)
    few.stop()
    return Measured(count, len(asked), measured)


def fill(server: Keybearer, paced: latency.Paced, keys: list[str]) -> int:
    """Asks once with each key, and answers how many were answered: a slow machine does not fetch all at this pace."""
    classes = f"good:{FILL_RATE}:{FILL_CONNECTIONS}:{paced.tokens('fill', keys)}"
    told = paced.run(server.gate(), len(keys) / FILL_RATE, 0, classes)["good"]
    latency.expect_statuses(told, {"200"}, f"{len(keys):,} accounts")
    return told["answered"]


def subject(server: Keybearer, name: str, key: str, path: str) -> Subject:
    return dataclasses.replace(server.gate(), name=name, authorization=f"Bearer {key}", script=path)

"""Instructions that a server executes for one request, counted by callgrind.

The count hardly depends on what else the machine does, so it shows small changes that requests a second cannot show.
It covers the server's own code and its libraries, not the kernel.
"""

import dataclasses
import glob
import http.client
import itertools
import os
import re
import shlex
import shutil
import statistics
import time
from collections.abc import Iterator

from harness.waiting import Failure

from .compare_builds import DIRECTORY, Version
from .processes import Process, Processes, print_progress, run
from .subject import Subject

# Starts of each commit's server under callgrind. The median of them counts.
STARTS = 5
# How often a start is counted at most.
ATTEMPTS = 3
# Under valgrind a server is too slow to renew the usual lease of 2 s in time: it would answer 503.
LEASE = "30s"
# N of each measurement: N and 2N requests are counted.
REQUESTS = {"gate": 1_000, "me": 500, "cold": 190}
# Requests before anything is counted: with cold keys, these are keys that are not used again.
WARM_UP = {"gate": 200, "me": 200, "cold": 20}
# How long 2N requests with cold keys take at least, and the time after requests in which the server writes last uses,
# which it does once a second.
COLD_SECONDS = 6
SETTLING = 1.5
# Threads with less than this share of a profile are not stored.
STORED_SHARE = 0.05
PROFILES = os.path.join(DIRECTORY, "profiles")

# Valgrind before 3.20 writes to the mask of sigsuspend and crashes where it is constant, as libdispatch's is. This
# passes a copy.
SHIM = """\
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int sigsuspend(const sigset_t *mask) {
    sigset_t copy = *mask;
    return syscall(SYS_rt_sigsuspend, &copy, _NSIG / 8);
}
"""


@dataclasses.dataclass
class Counts:
    """Instructions a request, one of each start."""

    base: list[float]
    head: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.head) / statistics.median(self.base)


def measure(versions: tuple[Version, Version], processes: Processes, directory: str) -> dict[str, Counts]:
    shim = compile_shim(directory)
    counts = {name: Counts([], []) for name in REQUESTS}
    for number in range(STARTS):
        for version in versions if number % 2 == 0 else versions[::-1]:
            print_progress(f"Instructions, start {number + 1} of {STARTS}, {version.name}")
            for name, found in count_or_again(version, processes, directory, shim).items():
                getattr(counts[name], version.name).append(found)
    return counts


def compile_shim(directory: str) -> str:
    source, library = (os.path.join(directory, f"sigsuspend.{ending}") for ending in ("c", "so"))
    with open(source, "w") as file:
        file.write(SHIM)
    run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], "compiling the shim for valgrind")
    return library


def count_or_again(version: Version, processes: Processes, directory: str, shim: str) -> dict[str, float]:
    """A server that fails under valgrind, as it may on a busy machine, is started and counted again."""
    for _ in range(ATTEMPTS - 1):
        try:
            return count_once(version, processes, directory, shim)
        except Failure as failure:
            print_progress(f"{failure}: counted again")
    return count_once(version, processes, directory, shim)


def count_once(version: Version, processes: Processes, directory: str, shim: str) -> dict[str, float]:
    """All measurements on one start of the server."""
    place = os.path.join(directory, "callgrind")
    os.makedirs(place, exist_ok=True)
    profile = os.path.join(place, f"{version.name}.profile")
    server = version.server(processes, place, wrapper(version, place, profile, shim))
    server.start(serve=True)
    callgrind = Callgrind(server.process, profile)
    warm, *cold = version.keys()
    counts = {}
    try:
        # Cold keys first: what the server has reserved for them and not used it releases after 30 s, which is not counted.
        for name, subject in (("cold", server.gate()), ("gate", server.gate()), ("me", server.profile())):
            keys = iter(cold) if name == "cold" else itertools.repeat(warm)
            counts[name] = count(callgrind, subject, keys, name)
            callgrind.store(f"{version.commit[:10]}-{name}")
    finally:
        server.stop()
    return counts


def wrapper(version: Version, place: str, profile: str, shim: str) -> str:
    """A program that runs the server under callgrind. It keeps its process id."""
    path = os.path.join(place, f"{version.name}-keybearer")
    command = ["env", f"LD_PRELOAD={shim}", f"KEYBEARER_LEASE={LEASE}", "valgrind", "--tool=callgrind",
               "--separate-threads=yes", f"--callgrind-out-file={profile}", version.stripped]
    with open(path, "w") as file:
        file.write(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    os.chmod(path, 0o755)
    return path


class Callgrind:
    """A server that runs under callgrind."""

    def __init__(self, process: Process, profile: str):
        self.process, self.profile = process, profile
        self.dumps = 0
        # The instructions of each thread in the last dump.
        self.last: dict[str, int] = {}

    def collect(self) -> dict[str, int]:
        """How many instructions each thread of the server has executed since this was last called."""
        self.process.expect_running()
        for dump in self.files():
            os.unlink(dump)
        run(["callgrind_control", "--dump", str(self.process.pid)], "callgrind_control", timeout=60)
        self.dumps += 1
        self.last = {}
        for dump in self.files():
            with open(dump, errors="replace") as file:
                total = re.search(r"^totals: (\d+)$", file.read(), re.M)
            if total:
                self.last[dump.rpartition("-")[2]] = int(total[1])
        if not self.last:
            raise Failure(f"callgrind wrote no totals to {self.profile}.{self.dumps}-…")
        return self.last

    def files(self) -> list[str]:
        """The last dump: a file for each thread."""
        return glob.glob(f"{self.profile}.{self.dumps}-*")

    def store(self, name: str) -> None:
        """Stores the last dump, for people who want to know where instructions went."""
        os.makedirs(PROFILES, exist_ok=True)
        for old in glob.glob(os.path.join(PROFILES, f"{name}-*")):
            os.unlink(old)
        for thread, instructions in self.last.items():
            if instructions >= STORED_SHARE * sum(self.last.values()):
                shutil.copy(f"{self.profile}.{self.dumps}-{thread}",
                            os.path.join(PROFILES, f"{name}-{thread}.callgrind"))


def count(callgrind: Callgrind, subject: Subject, keys: Iterator[str], name: str) -> float:
    """Instructions of one request: the difference between 2N requests and N, divided by N.

    A request with a warm key is answered on the event loop of its connection, so the count is that thread's. Other
    threads work while nobody sends requests, too; they look for changes every 20 ms, for example. A cold key needs
    several threads, so the count is that of all. N requests then take as long as 2N requests, and the difference
    contains no other work.
    """
    number, is_cold = REQUESTS[name], name == "cold"
    connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=60)

    def collect(requests: int, seconds: float) -> tuple[dict[str, int], float]:
        """The instructions of so many requests, and how long they took."""
        began = time.monotonic()
        send(connection, subject, itertools.islice(keys, requests), requests, seconds)
        took = time.monotonic() - began
        time.sleep(SETTLING if is_cold else 0)
        return callgrind.collect(), took

    try:
        collect(WARM_UP[name], 0)
        twice, took = collect(2 * number, COLD_SECONDS if is_cold else 0)
        # On a busy machine 2N requests may take longer than planned, and so do N then.
        once, _ = collect(number, took if is_cold else 0)
    finally:
        connection.close()
    differences = [twice.get(thread, 0) - once.get(thread, 0) for thread in twice | once]
    return (sum(differences) if is_cold else max(differences)) / number


def send(connection: http.client.HTTPConnection, subject: Subject, keys: Iterator[str], number: int,
         seconds: float) -> None:
    """Sends one request after the other on one connection, spread evenly over so many seconds."""
    began = time.monotonic()
    for sent, key in enumerate(keys):
        time.sleep(max(0, began + seconds * sent / number - time.monotonic()))
        try:
            connection.request("GET", subject.path, headers={**subject.headers, "Authorization": f"Bearer {key}"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{subject.name} under callgrind: {error!r}") from None
        if response.status != 200:
            raise Failure(f"{subject.name} under callgrind answers {response.status} {body[:80]!r}, not 200")
    time.sleep(max(0, began + seconds - time.monotonic()))

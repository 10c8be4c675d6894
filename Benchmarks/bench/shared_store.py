"""The gate on PostgreSQL: beside the same gate on SQLite, as two nodes under load together, and what it writes."""

import concurrent.futures
import dataclasses
import os
import re
import shutil
import signal
import time

from harness.waiting import Failure

from . import latency, preparation, throughput
from .keybearer import Keybearer
from .processes import Processes, print_progress, run
from .subject import Subject

# Of the requests a second on SQLite.
AIM = 0.95
# The default catalogue's limit: what is written depends on it.
REAL_LIMIT = 1_000
RATE = 2_000
# Last uses are written once a second, so what is still in memory is written within this.
SETTLING = 2.5
# Two statements of the documentation: rows of rate limits for each admitted request, at a pace of an account and above.
RATE_LIMIT_AIM = 0.1
RATE_LIMIT_PACE = 20


@dataclasses.dataclass
class Together:
    """Both nodes under load together."""

    rate: float
    # Responses that were not 200, and requests that got none.
    failures: int


@dataclasses.dataclass
class Writes:
    seconds: float
    accounts: int
    admitted: int
    # Rows written by table, and commits; and the same of idle nodes.
    rows: dict[str, int]
    commits: int
    idle_rows: dict[str, int]
    idle_commits: int


@dataclasses.dataclass
class Measured:
    version: str
    rounds: dict[str, list[throughput.Round]]
    seconds: float
    together: list[Together]
    writes: Writes

    @property
    def ratio(self) -> float:
        return throughput.ratio(self.rounds, "postgres", "sqlite")


class Postgres:
    """A throwaway PostgreSQL that waits for its disk."""

    def __init__(self, processes: Processes):
        # It prints where it is once it accepts connections, and lasts until it is stopped.
        script = 'printf "%s\\n" "$KEYBEARER_POSTGRES_BIN" "$KEYBEARER_TEST_POSTGRES" ready && exec sleep infinity'
        process = processes.start(
            "postgresql", [os.path.join(preparation.ROOT, "scripts", "with-postgres"), "sh", "-c", script],
            environment=dict(os.environ, KEYBEARER_POSTGRES_FSYNC="on"))
        found = process.wait_until(lambda: re.search(r"(/\S+)\n(postgres:\S+)\nready", process.log))
        self.psql = os.path.join(found[1], "psql")
        self.address = found[2]

    def query(self, statement: str) -> list[list[str]]:
        """The rows of the response."""
        output = run([self.psql, "-X", "-q", "-A", "-t", "-F", "|", "-d", self.address, "-c", statement], "psql")
        return [line.split("|") for line in output.splitlines()]

    def counts(self) -> dict[str, int]:
        """Rows written so far, by table, and commits.

        A session reports what it did when it ends; so this waits for all others to be gone.
        """
        deadline = time.monotonic() + 10
        while self.query("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
                       "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"):
            if time.monotonic() > deadline:
                raise Failure("PostgreSQL: sessions do not end")
            time.sleep(0.1)
        rows = self.query("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables UNION ALL "
                        "SELECT 'commits', xact_commit FROM pg_stat_database WHERE datname = current_database()")
        return {name: int(number) for name, number in rows}


def measure(processes: Processes, server: Keybearer, accounts: list[str], paced: latency.Paced, rounds: int,
            seconds: float, writes_seconds: float) -> Measured:
    """- Parameter server: a demonstration that has ended, whose database is copied with its accounts."""
    print_progress("PostgreSQL: copying the accounts")
    postgres = Postgres(processes)
    server.stop()
    # A copy moves: the one that has moved is served no more.
    moved = server.database_file + ".moved"
    shutil.copyfile(server.database_file, moved)
    run([server.binary, "migrate", "--from", f"sqlite:{moved}", "--to", postgres.address, "--master-key-file",
         server.master_keys], "keybearer migrate", timeout=60)
    nodes = [node(server, "sqlite", None), node(server, "node a", postgres.address),
             node(server, "node b", postgres.address)]
    sqlite, *both = nodes
    for one in (sqlite, both[0]):
        one.start(serve=True)
    measured = throughput.measure(
        [subject(sqlite, "sqlite", "SQLite"), subject(both[0], "postgres", "PostgreSQL")], rounds, seconds)
    sqlite.stop()
    both[1].start(serve=True)
    together = [request_both(both, seconds) for _ in range(max(1, rounds // 3))]
    for one in both:
        one.stop()
    writes = count_writes(postgres, both, accounts, paced, writes_seconds)
    version = postgres.query("SHOW server_version")[0][0].split()[0]
    return Measured(version, measured, seconds, together, writes)


def node(server: Keybearer, name: str, database: str | None) -> Keybearer:
    """`serve` on the demonstration's master keys, and on its database or another."""
    one = Keybearer(server.processes, server.binary, os.path.dirname(server.directory), server.has_gate, name, database)
    one.key = server.key
    return one


def subject(one: Keybearer, name: str, database: str) -> Subject:
    return dataclasses.replace(one.gate(), name=name, title=f"the gate on {database}")


def request_both(nodes: list[Keybearer], seconds: float) -> Together:
    """Both nodes as fast as they answer, with one account: they share its rate limit."""
    print_progress("PostgreSQL: both nodes together")
    subjects = [one.gate() for one in nodes]
    for one in subjects:
        one.check()
    with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
        reports = list(pool.map(lambda one: throughput.run_wrk(one, seconds), subjects))
    return Together(sum(one.rate for one in reports), sum(one.refused + one.failed for one in reports))


def count_writes(postgres: Postgres, nodes: list[Keybearer], accounts: list[str], paced: latency.Paced,
                 seconds: float) -> Writes:
    """What two nodes write for many accounts in turn, and what they write when idle."""
    nodes[0].open_plan(hourly_limit=REAL_LIMIT)
    # What the benchmarks before used of the rate limits is not to be in the way.
    postgres.query("DELETE FROM budgets")
    tokens = paced.tokens("shared", accounts)

    def at_pace(one: Keybearer) -> int:
        rate = RATE / len(nodes)
        result = paced.run(one.gate(), seconds, 0, f"good:{rate:g}:{latency.CONNECTIONS}:{tokens}")["good"]
        latency.expect_statuses(result, {"200"}, "two nodes on PostgreSQL")
        return result["answered"]

    print_progress("PostgreSQL: what two nodes write")
    rows, admitted = written(postgres, nodes, seconds, at_pace)
    print_progress("PostgreSQL: what two nodes write that nobody asks")
    idle_rows, _ = written(postgres, nodes, seconds, lambda _: time.sleep(seconds) or 0)
    return Writes(seconds, len(accounts), admitted, rows, rows.pop("commits"), idle_rows, idle_rows.pop("commits"))


def written(postgres: Postgres, nodes: list[Keybearer], seconds: float, send_requests) -> tuple[dict[str, int], int]:
    """Starts the nodes, loads them, and ends them as a crash does: at a stop they release what is unused."""
    before = postgres.counts()
    for one in nodes:
        one.start(serve=True)
    with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
        admitted = sum(pool.map(send_requests, nodes))
    time.sleep(SETTLING)
    for one in nodes:
        one.process.expect_running()
        one.process.send_signal(signal.SIGKILL)
        one.stop()
    after = postgres.counts()
    return {name: number - before.get(name, 0) for name, number in after.items()}, admitted

"""The results for databases: a million accounts, and PostgreSQL."""

import statistics

from . import key_cache, latency, many_accounts, shared_store, throughput
from .markdown import number_text, paragraph, ratio_text, table


def million_lines(million: many_accounts.Measured | None) -> list[str]:
    if not million:
        return []
    marks = ("p50", "p99", "p99.9")
    rows = [
        ["first request with a key", *(medians_text(million.cold, mark) for mark in marks)],
        ["second request with it", *(medians_text(million.warm, mark) for mark in marks)],
        ["the disk alone: write 8 KiB, `fdatasync`", *(medians_text(million.disk, mark) for mark in marks)],
    ]
    cache_state = "was locked in memory" if million.is_locked else "was read into memory before each start"
    each, disks = (", ".join(number_text(one["p99"]) for one in measured) for measured in (million.cold, million.disk))
    return [
        f"## {million.count:,} accounts", "",
        *paragraph(
            f"A database with {million.count:,} accounts, {million.size / 2 ** 20:,.0f} MiB, written in "
            f"{million.load_seconds:.0f} s. `serve` on it returned its first response {million.start_seconds:.2f} s "
            f"after its start (median of {many_accounts.STARTS}; target 1 s)."),
        *paragraph(
            f"After each of {len(million.cold)} starts, spread over the run: one request with each of {million.requested} "
            f"random keys, at {latency.COLD_RATE} requests/s; after the first start, a second request with each. The "
            f"file {cache_state}, so that paging is not measured. Values are medians of the starts, in microseconds of server "
            f"time. The target is a p99 of 2,000 for the first request. Its p99 at each start was {each}; that of "
            f"the disk alone, right before, was {disks}."),
        *table(["what", *marks], rows, 3),
        *paragraph(f"In client time, p99 of the first two rows was {number_text(latency.seen_p99(million.cold))} and "
                   f"{number_text(latency.seen_p99(million.warm))}."),
        "In process:", "", "```", *million.in_process, "```", "",
        *key_cache_lines(million.over_http),
    ]


def medians_text(measured: list[dict], mark: str) -> str:
    return number_text(statistics.median(one[mark] for one in measured))


def key_cache_lines(measured: key_cache.Measured) -> list[str]:
    return paragraph(
        f"The gate over HTTP, by wrk, with {measured.requested:,} keys in rotation: {rate_text(measured.rounds['few'])} "
        f"requests/s on a server that has only these accounts, {rate_text(measured.rounds['many'])} on one with "
        f"{measured.count:,} accounts in its key cache. Ratio {ratio_text(measured.ratio)} (median of "
        f"{len(measured.rounds['many'])} interleaved rounds; target {key_cache.AIM:g}). The cache was filled before, "
        f"at {key_cache.FILL_RATE:,} requests/s; the writes that this caused "
        f"{'were complete' if measured.is_calm else 'WERE STILL GOING ON'}.")


def rate_text(rounds: list[throughput.Round]) -> str:
    return number_text(statistics.median(one.rate for one in rounds))


def shared_lines(shared: shared_store.Measured | None) -> list[str]:
    if not shared:
        return []
    rows = []
    for name, title in (("sqlite", "the gate on SQLite"), ("postgres", "the gate on PostgreSQL")):
        rounds = shared.rounds[name]
        rows.append([title, rate_text(rounds), ratio_text(throughput.ratio(shared.rounds, name, "sqlite")),
                     ratio_text(throughput.processor_ratio(shared.rounds, name, "sqlite"))])
    together = number_text(statistics.median(one.rate for one in shared.together))
    rows.append(["two nodes on one PostgreSQL, both under load", together, "–", "–"])
    failures = sum(one.failures for one in shared.together)
    return [
        "## On PostgreSQL", "",
        *paragraph(
            f"PostgreSQL {shared.version} on the same machine, with `fsync` on. wrk as above, "
            f"{len(shared.rounds['sqlite'])} interleaved rounds of {shared.seconds:g} s; both nodes together, "
            f"{len(shared.together)} rounds. The target is {shared_store.AIM:g} of SQLite; {ratio_text(shared.ratio)} "
            f"{'meets' if shared.ratio >= shared_store.AIM else 'MISSES'} it."),
        *table(["what", "requests/s", "ratio to SQLite", "ratio of server CPU per request"], rows, 3),
        *paragraph(f"Responses of the two nodes other than 200, and requests without one: {failures} (target 0)."),
        *writes_lines(shared.writes),
    ]


def writes_lines(writes: shared_store.Writes) -> list[str]:
    thousands = writes.admitted / 1_000
    pace = writes.admitted / writes.accounts / writes.seconds * 60
    tables = sorted(name for name in {*writes.rows, *writes.idle_rows} if writes.rows[name] or writes.idle_rows[name])
    titles = {"budgets": "`budgets`: windows", "api_keys": "`api_keys`: last uses", "nodes": "`nodes`: leases"}
    rows = [
        [titles.get(name, f"`{name}`"), f"{writes.rows[name]:,}", f"{writes.rows[name] / thousands:.1f}",
         f"{writes.idle_rows[name]:,}"] for name in tables]
    rows.append(["commits, including those of reads", f"{writes.commits:,}", f"{writes.commits / thousands:.1f}",
                 f"{writes.idle_commits:,}"])
    per_request = writes.rows["budgets"] / writes.admitted
    judged = "meets" if per_request <= shared_store.RATE_LIMIT_AIM else "MISSES"
    return [
        *paragraph(
            f"What two nodes write: {writes.accounts} accounts with a limit of {shared_store.REAL_LIMIT:,} requests "
            f"per hour, in rotation; {writes.admitted:,} requests in {writes.seconds:g} s at {shared_store.RATE:,} "
            "requests/s, half of them to each node. The rows that were inserted, updated or deleted include those of "
            "the start of both nodes and of all first uses. The last column is the same time without requests."),
        *table(["rows written", "total", "per 1,000 admitted", "without requests"], rows, 3),
        *paragraph(
            f"Rate-limit windows alone: {per_request * 10:.2f} rows per 10 admitted requests, at {pace:.0f} requests "
            f"per minute and account. This {judged} the target of {shared_store.RATE_LIMIT_AIM * 10:g}, which applies from "
            f"{shared_store.RATE_LIMIT_PACE} requests per minute on."),
    ]

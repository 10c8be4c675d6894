"""What was measured of databases: a million accounts, and PostgreSQL."""

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
        ["the disk alone: 8 KiB written and waited for", *(medians_text(million.disk, mark) for mark in marks)],
    ]
    cache_state = "was locked in memory meanwhile" if million.is_locked else "was read before each start"
    each, disks = (", ".join(number_text(one["p99"]) for one in measured) for measured in (million.cold, million.disk))
    return [
        f"## {million.count:,} accounts", "",
        *paragraph(
            f"A database with {million.count:,} accounts, {million.size / 2 ** 20:,.0f} MiB, written in "
            f"{million.load_seconds:.0f} s. `serve` on it answered its first request {million.start_seconds:.2f} s "
            f"after it was started (median of {many_accounts.STARTS}; aim 1 s)."),
        *paragraph(
            f"Behind each of {len(million.cold)} starts, at different times of the run, {million.requested} of the keys, "
            f"drawn at random, asked once at {latency.COLD_RATE} requests a second; those of the first start once "
            f"more. The file {cache_state}, so that the kernel's paging is not measured. Medians of the starts, "
            f"in microseconds (aim: the first within 2,000 at p99; its p99 was {each}; beside each, of the disk "
            f"alone, {disks}):"),
        *table(["what", *marks], rows, 3),
        *paragraph(f"By the server's time; as the client saw it, p99 of the first two rows was "
                   f"{number_text(latency.seen_p99(million.cold))} and "
                   f"{number_text(latency.seen_p99(million.warm))}."),
        "In process:", "", "```", *million.in_process, "```", "",
        *key_cache_lines(million.over_http),
    ]


def medians_text(measured: list[dict], mark: str) -> str:
    return number_text(statistics.median(one[mark] for one in measured))


def key_cache_lines(measured: key_cache.Measured) -> list[str]:
    return paragraph(
        f"The gate over HTTP, by wrk, {measured.requested:,} keys in turn: {rate_text(measured.rounds['few'])} requests a "
        f"second with only so many accounts, {rate_text(measured.rounds['many'])} with {measured.count:,} remembered; "
        f"ratio {ratio_text(measured.ratio)} (median of {len(measured.rounds['many'])} interleaved rounds; aim "
        f"{key_cache.AIM:g}). They were fetched before at {key_cache.FILL_RATE:,} a second; what that left to be "
        f"written {'was written' if measured.is_calm else 'WAS STILL BEING WRITTEN'}.")


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
    rows.append(["two nodes on one PostgreSQL, both under load together", together, "–", "–"])
    failures = sum(one.failures for one in shared.together)
    return [
        "## On PostgreSQL", "",
        *paragraph(
            f"PostgreSQL {shared.version} on the same machine, which waits for its disk. wrk as above, "
            f"{len(shared.rounds['sqlite'])} interleaved rounds of {shared.seconds:g} s; both nodes together "
            f"{len(shared.together)} rounds. The aim is {shared_store.AIM:g} of SQLite; {ratio_text(shared.ratio)} is "
            f"{'within' if shared.ratio >= shared_store.AIM else 'NOT WITHIN'} it."),
        *table(["what", "requests a second", "ratio to SQLite", "ratio of the server's processor time a request"],
               rows, 3),
        *paragraph(f"Answers of the two nodes other than 200, and requests without one: {failures} (aim 0)."),
        *writes_lines(shared.writes),
    ]


def writes_lines(writes: shared_store.Writes) -> list[str]:
    thousands = writes.admitted / 1_000
    pace = writes.admitted / writes.accounts / writes.seconds * 60
    tables = sorted(name for name in {*writes.rows, *writes.idle_rows} if writes.rows[name] or writes.idle_rows[name])
    titles = {"budgets": "`budgets`: the hours", "api_keys": "`api_keys`: last uses", "nodes": "`nodes`: leases"}
    rows = [
        [titles.get(name, f"`{name}`"), f"{writes.rows[name]:,}", f"{writes.rows[name] / thousands:.1f}",
         f"{writes.idle_rows[name]:,}"] for name in tables]
    rows.append(["commits, of reads too", f"{writes.commits:,}", f"{writes.commits / thousands:.1f}",
                 f"{writes.idle_commits:,}"])
    per_request = writes.rows["budgets"] / writes.admitted
    judged = "within" if per_request <= shared_store.RATE_LIMIT_AIM else "NOT WITHIN"
    return [
        *paragraph(
            f"What two nodes write: {writes.accounts} accounts with {shared_store.REAL_LIMIT:,} requests an hour, in "
            f"turn, {writes.admitted:,} requests in {writes.seconds:g} s at {shared_store.RATE:,} a second, half of "
            "them at each node. Rows are those that were inserted or changed, of the start of both nodes and of all "
            "first uses too; the last column is the same without any request."),
        *table(["rows written", "in all", "for 1,000 admitted", "when nobody asks"], rows, 3),
        *paragraph(
            f"The hours alone: {per_request * 10:.2f} rows for 10 admitted at {pace:.0f} a minute of an account, "
            f"{judged} the aim of {shared_store.RATE_LIMIT_AIM * 10:g} at {shared_store.RATE_LIMIT_PACE} and above."),
    ]

"""`make bench-compare`: builds two commits, measures both alternately, and reports whether the newer one is slower."""

import argparse
import sys
import tempfile

from harness.waiting import Failure

from . import compare_builds, compare_instructions, compare_report, compare_rounds, latency, preparation
from .processes import Processes, print_progress

# Exit codes: a regression, and a comparison that could not be finished.
REGRESSION = 1
FAILED = 2
PROGRAMS = {"wrk": "wrk", "cc": "gcc", "strip": "binutils"}
COUNTING_PROGRAMS = {"valgrind": "valgrind", "callgrind_control": "valgrind"}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench-compare", description="Compares the speed of two commits. Exits with 1 on a regression.")
    parser.add_argument("base", metavar="BASE", help="the commit to compare with, such as main~5 or a tag")
    parser.add_argument("--head", metavar="COMMIT", default="HEAD", help="the commit that is judged (HEAD)")
    parser.add_argument("--pairs", metavar="NUMBER", type=int, default=10,
                        help="how often each measurement is repeated with both commits: an even number (10)")
    parser.add_argument("--seconds", metavar="NUMBER", type=int, default=3,
                        help="how long one measurement by wrk takes, in whole seconds (3)")
    parser.add_argument("--without-instructions", action="store_true",
                        help="do not count instructions; valgrind is not needed then")
    options = parser.parse_args(arguments)
    if options.pairs % 2 or not 2 <= options.pairs <= compare_report.MOST_PAIRS:
        parser.error(f"--pairs: got {options.pairs}, wants an even number from 2 to {compare_report.MOST_PAIRS}")
    if not 1 <= options.seconds <= 10:
        parser.error(f"--seconds: got {options.seconds}, wants 1 to 10")
    return options


def compare(options: argparse.Namespace, processes: Processes, directory: str) -> bool:
    """Prints the comparison and returns whether it found a regression."""
    commits = [compare_builds.commit(name) for name in (options.base, options.head)]
    base, head = (compare_builds.prepare(processes, name, one) for name, one in zip(("base", "head"), commits))
    paced = latency.Paced(preparation.compile_program("paced", directory), directory)
    rates = compare_rounds.measure((base, head), processes, paced, directory, options.pairs, options.seconds)
    instructions = {} if options.without_instructions else compare_instructions.measure(
        (base, head), processes, directory)
    rows = [compare_report.compare(one, rates[one.name], instructions.get(one.name))
            for one in compare_rounds.MEASUREMENTS]
    print_progress("\n" + compare_report.text(base, head, rows, options.pairs))
    return any(row.is_regression for row in rows)


def main() -> None:
    options = parse(sys.argv[1:])
    try:
        counting = {} if options.without_instructions else COUNTING_PROGRAMS
        preparation.install_programs({**PROGRAMS, **counting})
        with compare_builds.lock(), tempfile.TemporaryDirectory(prefix="keybearer-compare-") as directory, \
                Processes(directory) as processes:
            is_regression = compare(options, processes, directory)
    except Failure as failure:
        print_progress(f"bench-compare: {failure}")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        print_progress("bench-compare: interrupted; everything that it started was stopped")
        sys.exit(FAILED)
    sys.exit(REGRESSION if is_regression else 0)

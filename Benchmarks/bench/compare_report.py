"""What the measurements of two commits say: ratios, their confidence, a verdict, and the table of all."""

import dataclasses
import math
import statistics

from .compare_builds import Version
from .compare_instructions import Counts
from .compare_rounds import Measurement
from .markdown import paragraph, table

# A measurement is a regression if one of these holds: the whole interval of the ratio lies below the first, the ratio
# lies below the second, or the ratio of the instructions is above the third.
INTERVAL_LIMIT = 0.95
RATIO_LIMIT = 0.9
INSTRUCTIONS_LIMIT = 1.05
# An interval is wide when its upper end is more than so many times its lower end.
WIDE_INTERVAL = 1.15
# Counts of instructions scatter when their spread is more than this share of their median.
WIDE_SPREAD = 0.05

# The 97.5th percentile of Student's t, for 1, 2, … degrees of freedom.
STUDENT = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
]
MOST_PAIRS = len(STUDENT) + 1


@dataclasses.dataclass
class Row:
    """One measurement of both commits."""

    title: str
    # Medians, in requests a second.
    base: float
    head: float
    # head : base, and its 95 % confidence interval.
    ratio: float
    low: float
    high: float
    counts: Counts | None

    @property
    def is_regression(self) -> bool:
        is_heavier = self.counts is not None and self.counts.ratio > INSTRUCTIONS_LIMIT
        return self.high < INTERVAL_LIMIT or self.ratio < RATIO_LIMIT or is_heavier

    @property
    def is_noisy(self) -> bool:
        counts = (self.counts.base, self.counts.head) if self.counts else ()
        return self.high / self.low > WIDE_INTERVAL or any(spread(one) > WIDE_SPREAD for one in counts)


def compare(measurement: Measurement, pairs: list[tuple[float, float]], counts: Counts | None) -> Row:
    ratio, low, high = interval([math.log(head / base) for base, head in pairs])
    base, head = (statistics.median(rates) for rates in zip(*pairs))
    return Row(measurement.title, base, head, ratio, low, high, counts)


def interval(logarithms: list[float]) -> tuple[float, float, float]:
    """The geometric mean of the pairs' ratios, and its 95 % confidence interval by Student's t."""
    mean = statistics.fmean(logarithms)
    margin = STUDENT[len(logarithms) - 2] * statistics.stdev(logarithms) / math.sqrt(len(logarithms))
    return math.exp(mean), math.exp(mean - margin), math.exp(mean + margin)


def text(base: Version, head: Version, rows: list[Row], pairs: int) -> str:
    speeds = [[row.title, f"{row.base:,.0f}", f"{row.head:,.0f}", f"{row.ratio:.3f}", f"{row.low:.3f}–{row.high:.3f}",
               f"{row.counts.ratio:.3f}" if row.counts else "–", "regression" if row.is_regression else "ok"]
              for row in rows]
    lines = [
        f"base {base.commit[:10]}, head {head.commit[:10]}", "",
        *table(["measurement", "base, requests/s", "head, requests/s", "head : base", "95 % interval",
                "instructions, head : base", "verdict"], speeds, 6),
    ]
    counted = [[row.title, per_request(row.counts.base), per_request(row.counts.head), f"{row.counts.ratio:.3f}"]
               for row in rows if row.counts]
    if counted:
        lines += table(["instructions per request, by callgrind", "base", "head", "head : base"], counted, 3)
    if noisy := [row.title for row in rows if row.is_noisy]:
        lines += paragraph(f"The machine was busy or its disk slow: results vary too much for {'; '.join(noisy)}. Do not "
                           "trust a verdict on these. Run this again while the machine does nothing else.")
    lines += paragraph(
        f"Rates are medians of {pairs} pairs. head : base is the geometric mean of the pairs' ratios; the interval uses "
        "Student's t on their logarithms. Instructions are medians of several starts; in parentheses, their "
        "spread without the lowest and the highest. A measurement is a regression when the whole interval lies "
        f"below {INTERVAL_LIMIT}, when the ratio is below {RATIO_LIMIT}, or when instructions rise by more than "
        f"{(INSTRUCTIONS_LIMIT - 1) * 100:.0f} %.")
    return "\n".join(lines).rstrip()


def per_request(counts: list[float]) -> str:
    return f"{statistics.median(counts):,.0f} ({spread(counts) * 100:.1f} %)"


def spread(counts: list[float]) -> float:
    """The range of the counts without the lowest and the highest, as a share of their median."""
    middle = sorted(counts)[1:-1]
    return (middle[-1] - middle[0]) / statistics.median(counts)

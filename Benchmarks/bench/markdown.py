"""Pieces of a page in Markdown."""

import textwrap


def table(header: list[str], rows: list[list[str]], numbers: int = 0) -> list[str]:
    """A table; its last columns hold numbers."""
    marks = ["---"] * (len(header) - numbers) + ["---:"] * numbers
    return [f"| {' | '.join(row)} |" for row in [header, marks, *rows]] + [""]


def paragraph(text: str) -> list[str]:
    return [*textwrap.wrap(text, 118), ""]


def ratio_text(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def number_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"

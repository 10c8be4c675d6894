"""The documents, their blocks of code, and the tests that they name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.programs import REPOSITORY

FENCE = re.compile(r"^( *)(```|~~~)(.*)$")
COMMENT = re.compile(r"^(not run|run by|sent to|headers of|output of): *(.*)$", re.DOTALL)
TESTS = REPOSITORY / "Tests"


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: str
    line: int
    language: str
    text: str
    # What the HTML comment on the lines before it says: its kind, such as `not run`, and the rest.
    kind: str | None
    note: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def documents() -> list[str]:
    """The documents whose blocks are looked at, by their paths in the repository."""
    pages = [*(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("examples/*/README.md")]
    return ["README.md", "CONTRIBUTING.md", *sorted(str(page.relative_to(REPOSITORY)) for page in pages)]


def blocks_of(document: str) -> list[Block]:
    """The blocks of a document, in their order."""
    return blocks_in((REPOSITORY / document).read_text(), document)


def blocks_in(text: str, document: str) -> list[Block]:
    lines, found, at = text.splitlines(), [], 0
    while at < len(lines):
        if match := FENCE.match(lines[at]):
            indent, fence, language = match.groups()
            end = lines.index(indent + fence, at + 1)
            content = "\n".join(line.removeprefix(indent) for line in lines[at + 1:end]) + "\n"
            found.append(Block(document, at + 1, language, content, *_comment_above(lines[:at])))
            at = end
        at += 1
    return found


def _comment_above(lines: list[str]) -> tuple[str | None, str]:
    """The kind and the text of the HTML comment that these lines end with."""
    if not lines or not lines[-1].rstrip().endswith("-->"):
        return None, ""
    begin = max(at for at, line in enumerate(lines) if line.lstrip().startswith("<!--"))
    text = "\n".join(line.strip() for line in lines[begin:]).removeprefix("<!--").removesuffix("-->").strip()
    match = COMMENT.match(text)
    return match.groups() if match else (None, "")


# What a document calls a test: `test_x.py::test_y`, `Suite.function`, or `Suite` “what the test says of itself”.
TEST_NAME = re.compile(r"`?(test_\w+\.py)::(test_\w+)`?|`?(\b[A-Z]\w*)`? “([^”]+)”|`?\b([A-Z]\w*)\.(\w+)`?")
PYTHON_TEST = re.compile(r"^ *(?:async )?def (test_\w+)\(", re.MULTILINE)
SWIFT_TYPE = re.compile(r"\b(?:struct|class|enum|actor|extension) (\w+)")
SWIFT_TITLE = re.compile(r'@Test\(\s*"((?:[^"\\]|\\.)*)"')
SWIFT_TEST = re.compile(r"@Test\b[^{}]*?\bfunc (\w+)\(")


def named_tests(text: str) -> list[str]:
    """The names of tests in a text."""
    return [match.group() for match in TEST_NAME.finditer(text)]


def is_a_test(name: str) -> bool:
    """Whether there is a test of this name."""
    file, python, suite, title, owner, function = TEST_NAME.fullmatch(name).groups()
    return ((file, python) if file else (suite, title) if suite else (owner, function)) in _tests()


@cache
def _tests() -> set[tuple[str, str]]:
    """All tests: each by its file or suite, and by its function or title."""
    found = {(path.name, test) for path in TESTS.rglob("test_*.py") for test in PYTHON_TEST.findall(path.read_text())}
    for path in TESTS.rglob("*.swift"):
        if ".build" in path.parts:
            continue
        text = path.read_text()
        names = SWIFT_TITLE.findall(text) + SWIFT_TEST.findall(text)
        # A suite may go on in an extension, in a file of its own.
        found |= {(suite, name) for suite in SWIFT_TYPE.findall(text) for name in names}
    return found

"""What the documents quote of the examples is what is tested here: the files, to the letter."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from harness.programs import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "existing-product.md"
# A block of code in a language of configurations.
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def quotations() -> list[tuple[Path, str]]:
    """The blocks of the document, each with the file that is linked last before it."""
    text = DOCUMENT.read_text()
    found = []
    for match in BLOCK.finditer(text):
        linked = [link for link in LINK.findall(text[: match.start()]) if link.startswith("../examples/")]
        found.append(((DOCUMENT.parent / linked[-1]).resolve(), match.group(2)))
    return found


@pytest.mark.parametrize("file, block", quotations(), ids=lambda value: value.name if isinstance(value, Path) else "")
def test_a_quotation_is_in_its_file(file: Path, block: str):
    lines = file.read_text().splitlines()
    wanted = block.splitlines()
    places = (lines[at : at + len(wanted)] for at in range(len(lines) - len(wanted) + 1))
    assert any(textwrap.dedent("\n".join(place)).splitlines() == wanted for place in places), f"not in {file}:\n{block}"


def test_each_gateway_is_quoted():
    files = [str(file.relative_to(REPOSITORY / "examples" / "existing-product")) for file, _ in quotations()]
    assert {name.split("/")[0] for name in files} == {"nginx", "caddy", "traefik", "envoy", "frame"}


@pytest.mark.parametrize("document", ["existing-product.md", "gateways.md"])
def test_every_file_that_is_linked_exists(document: str):
    text = (DOCUMENT.parent / document).read_text()
    linked = {link for link in LINK.findall(text) if not link.startswith("http")}
    assert len(linked) > 5
    for link in linked:
        assert (DOCUMENT.parent / link).exists(), f"{document} links {link}"

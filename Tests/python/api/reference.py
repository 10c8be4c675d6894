"""The reference page as a reader has it: each request with its code, and the response that the page shows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape

ARTICLE = re.compile(r'<article class="card endpoint" aria-labelledby="([^"]+)">(.*?)</article>', re.DOTALL)
PATH = re.compile(r'<p class="endpoint-path"><span[^>]*>([A-Z]+)</span> <code>([^<]+)</code>')
CODE = re.compile(r'<pre class="block[^"]*" data-code="(\w+)"><code>(.*?)</code></pre>', re.DOTALL)
STATUS = re.compile(r'<p class="part">Response <code>(\d+)</code>')


@dataclass(frozen=True)
class Example:
    """One request of the page."""

    id: str
    method: str
    path: str
    status: int
    # By language.
    code: dict[str, str]
    # None for a response without a body.
    response: dict | None


def examples(page: str) -> list[Example]:
    """All requests, in the order of the page."""
    found = []
    for article in ARTICLE.finditer(page):
        text = article.group(2)
        if not (path := PATH.search(text)):
            continue
        code = {kind: unescape(each) for kind, each in CODE.findall(text)}
        response = code.pop("response", None)
        found.append(
            Example(
                article.group(1), *path.groups(), int(STATUS.search(text).group(1)), code,
                json.loads(response) if response else None,
            )
        )
    return found


def differences(shown: object, real: object, place: str = "") -> list[str]:
    """Where a response has another shape than the page shows: other members, or values of another type."""
    if shown is None or real is None:
        return []
    if type(shown) is not type(real):
        return [f"{place or 'the response'} is {type(real).__name__}, not {type(shown).__name__}"]
    if isinstance(shown, list):
        return differences(shown[0], real[0], f"{place}[]") if shown and real else []
    if not isinstance(shown, dict):
        return []
    found = [f"{place}.{name} is not shown" for name in real.keys() - shown.keys()]
    found += [f"{place}.{name} is not there" for name in shown.keys() - real.keys()]
    for name in shown.keys() & real.keys():
        found += differences(shown[name], real[name], f"{place}.{name}")
    return found

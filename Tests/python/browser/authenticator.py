"""An authenticator app, as the tests have it: RFC 6238 by Python's own library, and a reader of QR codes."""

from __future__ import annotations

import base64
import hmac
import io
import re
import time
from urllib.parse import parse_qs, unquote, urlsplit

import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

STEP = 30
RECOVERY_CODE = re.compile(r"[a-km-np-z2-9]{4}(-[a-km-np-z2-9]{4}){3}")


class Authenticator:
    """One entry of the app."""

    def __init__(self, secret: str):
        self.secret = base64.b32decode(secret)
        # Each code works once: the next one is of a later step.
        self._last_step = 0

    @classmethod
    def scan(cls, page: Page) -> tuple[Authenticator, str, str]:
        """Scans the picture on the page; returns also the service's and the account's names in it."""
        picture = Image.open(io.BytesIO(page.locator(".qr-code").screenshot()))
        (code,) = zxingcpp.read_barcodes(picture)
        address = urlsplit(code.text)
        assert (address.scheme, address.netloc) == ("otpauth", "totp"), code.text
        issuer, account = unquote(address.path).removeprefix("/").split(":")
        query = parse_qs(address.query)
        assert query["issuer"] == [issuer]
        return cls(query["secret"][0]), issuer, account

    def code(self) -> str:
        """The next code that was not used: of the step before the present one, of it, or of the next."""
        now = int(time.time()) // STEP
        step = max(now - 1, self._last_step + 1)
        assert step <= now + 1, "A test uses three codes within a minute at most."
        self._last_step = step
        digest = hmac.digest(self.secret, step.to_bytes(8, "big"), "sha1")
        offset = digest[-1] & 15
        return f"{(int.from_bytes(digest[offset:offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def turn_on(page: Page) -> tuple[Authenticator, list[str]]:
    """Sets an app up on the page of two-step sign-in; returns it with the recovery codes."""
    authenticator, _, _ = Authenticator.scan(page)
    page.get_by_label("The code that the app shows").fill(authenticator.code())
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    return authenticator, page.locator(".recovery-codes code").all_text_contents()

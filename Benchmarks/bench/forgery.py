"""Tokens that look like Secret Keys: docs/keys.md has their format."""

import secrets
import zlib

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def checksum(body: str) -> str:
    """CRC-32 of what stands before it, in base62, left-padded."""
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


# A fixed example: with a wrong checksum a forgery would be refused too early to measure anything.
assert checksum("qkJaB6MffYVzZXWqmcoF49yrUxP3wf") == "0LsakP"


def forged_keys(number: int, prefix: str = "tdc_") -> list[str]:
    """Keys with the right format and checksum. Their tags are random, so wrong but for one chance in 62^10."""
    keys = []
    for _ in range(number):
        # A remainder of a byte is not uniform, and need not be here.
        body = "".join(DIGITS[byte % 62] for byte in secrets.token_bytes(32))
        keys.append(prefix + body + checksum(body))
    return keys

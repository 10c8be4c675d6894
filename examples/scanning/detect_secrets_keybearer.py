"""Finds Secret Keys of Keybearer with detect-secrets: detect-secrets scan --plugin detect_secrets_keybearer.py

A find has the right checksum, so that it is a key without a doubt.
"""

import re
import zlib

from detect_secrets.plugins.base import RegexBasedDetector

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def checksum(body):
    """The CRC-32 of the 32 characters in base 62."""
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


class KeybearerSecretKeyDetector(RegexBasedDetector):
    """Secret Keys of every prefix."""

    secret_type = "Keybearer Secret Key"
    # A prefix, and 38 characters. What is around a key does not matter, for its checksum decides.
    denylist = [re.compile(r"[a-z][a-z0-9_]{0,14}_[0-9A-Za-z]{38}")]

    def analyze_string(self, string):
        for found in super().analyze_string(string):
            if checksum(found[-38:-6]) == found[-6:]:
                yield found

"""Asks Keybearer whether a Secret Key is valid (RFC 7662), with the standard library only.

    KEYBEARER_URL=https://keys.yourapp.com KEYBEARER_OPERATOR_TOKEN=kbo_… python3 introspect.py < key

The key is read from standard input, because every user of the machine can see a program's arguments.
"""

import json
import os
import sys
import urllib.parse
import urllib.request


def introspect(key: str, client_address: str | None = None) -> dict:
    """Returns Keybearer's response. Allow only "active": true; it counts as one request against the rate limit."""
    form = {"token": key}
    if client_address:
        form["client_address"] = client_address
    request = urllib.request.Request(
        os.environ["KEYBEARER_URL"] + "/operator/v1/introspect",
        data=urllib.parse.urlencode(form).encode(),
        headers={"Authorization": "Bearer " + os.environ["KEYBEARER_OPERATOR_TOKEN"]},
    )
    # A network error or a 5xx raises. The caller must then refuse the request.
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


if __name__ == "__main__":
    result = introspect(sys.stdin.read().strip())
    print(f"active: {result['username']}" if result["active"] else f"refused: {result.get('error', 'unknown key')}")
    sys.exit(0 if result["active"] else 1)

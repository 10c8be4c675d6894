"""Asks Keybearer whether a Secret Key may pass (RFC 7662), with nothing but the standard library.

    KEYBEARER_URL=https://keys.yourapp.com KEYBEARER_OPERATOR_TOKEN=kbo_… python3 introspect.py < key

The key comes by standard input and not as an argument: arguments are seen by every user of the machine.
"""

import json
import os
import sys
import urllib.parse
import urllib.request


def introspect(key: str, client_address: str | None = None) -> dict:
    """What Keybearer says of a key. Only "active": true may pass; an active answer counts as one request."""
    form = {"token": key}
    if client_address:
        form["client_address"] = client_address
    request = urllib.request.Request(
        os.environ["KEYBEARER_URL"] + "/operator/v1/introspect",
        data=urllib.parse.urlencode(form).encode(),
        headers={"Authorization": "Bearer " + os.environ["KEYBEARER_OPERATOR_TOKEN"]},
    )
    # An error of the transport or a 5xx raises: whoever calls this must then refuse, never let pass.
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


if __name__ == "__main__":
    result = introspect(sys.stdin.read().strip())
    print(f"active: {result['username']}" if result["active"] else f"refused: {result.get('error', 'unknown key')}")
    sys.exit(0 if result["active"] else 1)

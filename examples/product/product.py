"""A product that gives its users API keys through Keybearer: everything it needs, with Python's standard library.

Usage: OPERATOR_TOKEN=kbo_… python3 product.py https://keys.yourapp.com
"""
import hashlib, json, os, sys, urllib.parse, urllib.request

KEYBEARER, TOKEN = sys.argv[1], os.environ["OPERATOR_TOKEN"]


def call(method, path, body=None, key=None):
    """One request of the operator API; returns what is in `data`."""
    request = urllib.request.Request(f"{KEYBEARER}/operator/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {TOKEN}")
    if key:
        request.add_header("Idempotency-Key", key)
    if body is not None:
        request.add_header("Content-Type", "application/json")
        body = json.dumps(body).encode()
    with urllib.request.urlopen(request, body) as answer:
        return json.loads(answer.read() or b'{"data": null}')["data"]


def provision(users):
    """Creates the product's users here, or brings them up to date: safe to repeat, every night if you like."""
    for first in range(0, len(users), 1000):
        part = users[first:first + 1000]
        operations = [{"method": "PUT", "path": f"/users/ext:{user['id']}",
                       "body": {"email": user["email"], "name": user["name"]}} for user in part]
        results = call("POST", "/batch", {"operations": operations})["results"]
        for user, result in zip(part, results):
            if result["status"] != 200:
                print("not provisioned:", user["id"], result["body"]["message"], file=sys.stderr)


def sign_in(user):
    """Where to send the browser of a user who is signed in to the product."""
    return call("POST", "/portal-links", {"user": f"ext:{user}"})["url"]


def billing_event(event):
    """A user has paid, or has stopped paying. The next request's verdict knows."""
    plan = "pro" if event["type"] == "subscription.started" else "free"
    for workspace in call("GET", f"/users/ext:{event['user']}")["workspaces"]:
        if workspace["role"] == "owner":
            call("PUT", f"/workspaces/{workspace['id']}/plan", {"plan": plan}, key=f"{event['id']}-{workspace['id']}")


def leaked(token):
    """Somebody found a key. Whose is it? Ends it, and returns the user's id in the product."""
    owner = call("POST", "/keys/lookup", {"token": token})
    if owner["status"] == "live":
        name = hashlib.sha256(token.encode()).hexdigest()
        call("POST", f"/users/{owner['userId']}/key/regenerate", key=f"leak-{name}")
    return owner["user"]["externalId"] if "user" in owner else None


if __name__ == "__main__":
    provision([{"id": f"u{number}", "email": f"user{number}@example.com", "name": f"User {number}"}
               for number in range(int(os.environ.get("USERS", "10000")))])
    print(sign_in("u7"))

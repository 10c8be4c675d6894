"""What schemathesis runs beside its checks: a live credential for every request, and names of what is there."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, MutableMapping
from pathlib import Path

import schemathesis
from schemathesis.core.parameters import ParameterLocation

from api.api_server import PLAN, RETURN_URL, Credentials
from api.directory import LEAVER, PERSON, Directory
from harness.command_line import CommandLine

HEADERS = {"X-Workspace-Id": re.compile("ws_[0-9A-Za-z]{1,40}"), "If-Match": re.compile('([1-9][0-9]{0,8})|("[1-9][0-9]{0,8}")')}
DATA = Path(os.environ["API_TEST_DATA"])
# A line for each response: the operation and the status.
RESPONSES = Path(os.environ["API_TEST_RESPONSES"])
CREDENTIALS = Credentials(CommandLine(DATA / "keybearer.db", DATA / "keybearer.keys"))
DIRECTORY = Directory(os.environ["API_TEST_ADDRESS"], CREDENTIALS.operator_token)
# Paths of a batch that name what is there.
BATCH_PATHS = {
    "POST": f"/users/ext:{PERSON}/end-sessions", "PUT": f"/users/ext:{PERSON}", "PATCH": f"/users/ext:{PERSON}",
    "DELETE": f"/users/ext:{LEAVER}",
}


@schemathesis.auth(refresh_interval=None)
class Credential:
    """A Secret Key, or the operator token, as the path wants it."""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return CREDENTIALS.credential(case.operation.path)

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"
        leave_out_impossible_headers(case)


def leave_out_impossible_headers(case: schemathesis.Case) -> None:
    """Takes out a header that its pattern does not allow where the request is about something else: a valid request, or
    one with a method that the path does not have. The coverage phase ignores the `pattern` of a header."""
    is_about_headers = case.meta is not None and case.meta.is_negative_at(ParameterLocation.HEADER)
    has_other_method = case.method.upper() != case.operation.method.upper()
    if is_about_headers and not has_other_method:
        return
    for name, pattern in HEADERS.items():
        value = case.headers.get(name)
        if value is not None and not pattern.fullmatch(value):
            del case.headers[name]


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict) -> None:
    """Names what is there, in all that is valid already. Every fourth request keeps the names that were made up, unless it
    may change what the run depends on: schemathesis learns ids from responses."""
    def is_valid(location: ParameterLocation) -> bool:
        return case.meta is None or not case.meta.is_negative_at(location)

    if is_valid(ParameterLocation.QUERY) and "timeZone" in (case.query or {}):
        # The document does not list the time zone database.
        case.query["timeZone"] = "Europe/Berlin"
    if case.operation.path.startswith("/api/v1/webhooks") and is_valid(ParameterLocation.BODY) and isinstance(case.body, dict):
        name_in_body(case, True)
    if not case.operation.path.startswith("/operator/") or case.method.upper() != case.operation.method.upper():
        return
    if is_valid(ParameterLocation.HEADER) and "Idempotency-Key" in case.headers:
        # The same key with another request is refused.
        case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:200]}-{DIRECTORY.number()}"
    is_made_up = DIRECTORY.number() % 4 == 0
    if is_valid(ParameterLocation.PATH):
        name_in_path(case, is_made_up)
        if "If-Match" in case.headers and is_valid(ParameterLocation.HEADER) and not is_made_up:
            # Only a response tells one.
            use(case.headers, "If-Match", DIRECTORY.version(case.path_parameters))
    if is_valid(ParameterLocation.QUERY) and "cursor" in (case.query or {}):
        # Only a response tells one, to the same order of the same list.
        path = case.operation.path.format(**(case.path_parameters or {}))
        use(case.query, "cursor", DIRECTORY.cursor(path, case.query.get("order")))
    if is_valid(ParameterLocation.BODY) and isinstance(case.body, dict):
        name_in_body(case, is_made_up)


def name_in_path(case: schemathesis.Case, is_made_up: bool) -> None:
    """The user, the workspace and the plan of the path are there."""
    path, method = case.operation.path, case.method.upper()
    make: dict[str, Callable[[], str]] = {
        "user": DIRECTORY.user, "workspace": DIRECTORY.workspace, "plan": DIRECTORY.plan,
        "eventType": DIRECTORY.event_type, "webhookID": lambda: DIRECTORY.webhook()[0],
        "messageID": lambda: DIRECTORY.webhook()[1],
    }
    if "/members/" in path:
        make["user"] = DIRECTORY.member
    elif path.endswith("/users/{user}") and method == "DELETE":
        make["user"] = lambda: DIRECTORY.user(LEAVER)
    for name, value in (case.path_parameters or {}).items():
        if not is_made_up or method != "GET" and not value.startswith("ext:"):
            case.path_parameters[name] = make[name]()


def name_in_body(case: schemathesis.Case, is_made_up: bool) -> None:
    """The same of a valid body. The document knows neither the settings nor who is there."""
    path, body = case.operation.path, case.body
    for member in ("name", "description"):
        if isinstance(body.get(member), str):
            # JSON Schema cannot say beside which letters joiners are allowed, and schemathesis takes ranges for `\p{M}`
            # and its like, with characters in them that are none.
            body[member] = "".join(each for each in body[member] if not unicodedata.category(each).startswith("C"))
    if path.endswith("/webhooks") or "/webhooks/" in path:
        if "url" in body:
            # JSON Schema cannot say whose addresses are public.
            body["url"] = "https://1.1.1.1/hooks"
        if "events" in body:
            # Nor which events there are, and that `*` is alone.
            body["events"] = ["member.added"]
        if path.endswith("/webhooks"):
            DIRECTORY.make_room_for_webhooks()
    if "returnUrl" in body:
        body["returnUrl"] = RETURN_URL
    if "owner" in body or path.endswith("/workspaces/{workspace}") and case.method == "PUT":
        body["owner"] = DIRECTORY.user()
    if "/bulk/" in path:
        # A filter that is made up may be everybody, the run's own accounts among them.
        body["filter"] = {"workspace": DIRECTORY.workspace()}
        body.pop("cursor", None)
    if "transferTo" in body:
        body["transferTo"] = DIRECTORY.user()
        # One of the two.
        body.pop("deleteWorkspaces", None)
    if isinstance(body.get("endsAt"), str):
        # JSON Schema cannot say "in the future".
        body["endsAt"] = "2999-01-01T00:00:00Z"
    if path.endswith("/limit") and body.get("hourlyLimit") is None:
        # The plan's limit has no end.
        body.pop("endsAt", None)
    if path.endswith("/networks") and body.get("networks"):
        # JSON Schema cannot say what a network is.
        body["networks"] = ["203.0.113.0/24"]
    if path.endswith("/plan"):
        # Another plan than the one that ends.
        body.pop("nextPlan", None)
        if body.get("endsAt") is not None:
            body |= {"plan": PLAN, "nextPlan": "free"}
    if isinstance(body.get("key"), dict):
        # A key nobody has, with an account that is new: JSON Schema can say neither.
        body["key"] = {"import": f"a-key-that-a-customer-had-{DIRECTORY.number()}"}
        if case.method == "PUT":
            del body["key"]
    names = (case.path_parameters or {}).values()
    if case.method == "PUT" and body.get("externalId", "") is None and any(name.startswith("ext:") for name in names):
        # What the path names cannot be cleared, which JSON Schema cannot say.
        del body["externalId"]
    if is_made_up:
        return
    if path.endswith("/portal-links"):
        body["user"] = DIRECTORY.user()
    if "workspace" in body:
        body["workspace"] = DIRECTORY.workspace()
    if "plan" in body:
        body["plan"] = PLAN
    if "token" in body:
        body["token"] = DIRECTORY.key()
    for event in [body, *body.get("events", [])] if "/events" in path else []:
        if isinstance(event, dict) and "object" in event:
            event |= {"type": DIRECTORY.event_type(), "workspace": DIRECTORY.workspace()}
            if "user" in event:
                event["user"] = DIRECTORY.user()
    for operation in body.get("operations", []):
        operation["path"] = BATCH_PATHS.get(operation["method"], operation["path"])


def use(values: MutableMapping[str, str], name: str, value: str | None) -> None:
    """Sets a value, or takes it out where there is none."""
    values.pop(name)
    if value is not None:
        values[name] = value


@schemathesis.hook
def after_call(
    context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response
) -> None:
    """A success of a path that ends its key needs another key next time."""
    if response.status_code in (200, 204):
        CREDENTIALS.ended(case.operation.path)
    if case.method.upper() == case.operation.method.upper():
        with RESPONSES.open("a") as responses:
            responses.write(f"{case.operation.label} {response.status_code}\n")

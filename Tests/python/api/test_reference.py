"""The reference page tells the truth (``ReferencePage``): its examples run, and the responses are those that it shows."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys

import pytest

from api.api_server import PLAN, APIServer, Credentials
from api.directory import Directory
from api.reference import Example, differences, examples
from harness.accounts import Account
from harness.http_client import request
from harness.programs import ENVIRONMENT

# The names of the examples.
USER, WORKSPACE = "42", "team-7"
MOST_COMPRESSED_BYTES = 60_000


class Stage:
    """What the examples name is there before each of them, and what they create is not."""

    def __init__(self, server: APIServer):
        self.credentials = Credentials(server.commands)
        self.directory = Directory(f"127.0.0.1:{server.port}", self.credentials.operator_token)
        self.account: Account = server.commands.create_account(PLAN)
        self.commands = server.commands
        self.webhook = self.message = ""

    def set_up(self, example: Example) -> None:
        call = self.directory.call
        is_created = (example.method, example.path) == ("POST", "/operator/v1/users")
        is_there = call("GET", f"/users/ext:{USER}").status == 200
        if is_created and is_there:
            call("DELETE", f"/users/ext:{USER}")
        elif not is_created and not is_there and example.path.startswith("/operator/"):
            person = {"email": "ada@example.com", "name": "Ada", "externalId": USER}
            assert call("POST", "/users", person).status == 200
        if "{workspace}" in example.path:
            space = {"name": "Team 7", "owner": self.directory.user("owner")}
            assert call("PUT", f"/workspaces/ext:{WORKSPACE}", space).status == 200
            # A workspace keeps an Owner, whatever an example does with this user.
            for user, role in (("owner", "owner"), (USER, "member")):
                member = f"/workspaces/ext:{WORKSPACE}/members/ext:{user}"
                assert call("PUT", member, {"role": role}).status == 204
        if "{plan}" in example.path:
            plan = {"name": "Gold", "features": ["api_webhooks"], "hourlyLimit": 5_000, "position": 2}
            assert call("PUT", "/plans/gold", plan).status == 200
        if example.path.startswith("/operator/v1/event") or example.path == "/operator/v1/webhooks":
            space = {"name": "Team 7", "owner": self.directory.user("owner")}
            assert call("PUT", f"/workspaces/ext:{WORKSPACE}", space).status == 200
            assert call("PUT", "/event-types/invoice.paid", {"description": "An invoice was paid."}).status == 200
        if "{webhookID}" in example.path:
            self.webhook, self.message = self.directory.webhook(self.account.workspace)

    def fill(self, code: str) -> str:
        """The code with what a reader puts in: the credentials, and an id."""
        return (
            code.replace("kbo_YOUR_OPERATOR_TOKEN", self.credentials.operator_token())
            .replace("tdc_YOUR_API_KEY", self.commands.key_of(self.account.email))
            .replace("ws_AyMs808KGcMTnVZichwu", self.account.workspace)
            .replace("whe_AyMs808KGcMTnVZichwu", self.webhook)
            .replace("evt_019bc2f0-1f3a-7d00-8e21-0c4d7a9b3e5f", self.message)
            # A host that is public, without asking anybody for its address.
            .replace("https://yourapp.com/webhooks", "https://1.1.1.1/webhooks")
        )


def run_curl(code: str) -> subprocess.CompletedProcess[str]:
    """With the status before the body, as the others print it."""
    quiet = code.replace("curl ", "curl --silent --show-error --write-out '%{stderr}%{http_code}' ", 1)
    done = run("bash", "-ec", quiet)
    return subprocess.CompletedProcess(done.args, done.returncode, f"{done.stderr} {done.stdout}", done.stderr)


def run_node(code: str) -> subprocess.CompletedProcess[str]:
    return run(shutil.which("node"), "--input-type=module", "--eval", code)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-c", code)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)


LANGUAGES = {"curl": run_curl, "node": run_node, "python": run_python}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_examples_run_and_the_responses_are_those_shown(server: APIServer, language: str) -> None:
    page = request(f"localhost:{server.port}", "/docs").text
    stage = Stage(server)
    found = examples(page)
    assert len(found) > 30
    problems = []
    for example in found:
        stage.set_up(example)
        done = LANGUAGES[language](stage.fill(example.code[language]))
        status, _, body = done.stdout.partition(" ")
        if done.returncode != 0 or status != str(example.status):
            problems.append(f"{example.id}: {done.stdout} {done.stderr}")
            continue
        if example.response is None:
            assert not body.strip(), example.id
        else:
            problems += [f"{example.id}: {each}" for each in differences(example.response, json.loads(body))]
    assert not problems, "\n".join(problems)


def test_it_has_every_operation_of_the_document(server: APIServer) -> None:
    address = f"localhost:{server.port}"
    paths = request(address, "/openapi.json").json["paths"]
    described = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert {(each.method, each.path) for each in examples(request(address, "/docs").text)} == described


def test_it_is_small(server: APIServer) -> None:
    page = request(f"localhost:{server.port}", "/docs")
    assert len(gzip.compress(page.body)) < MOST_COMPRESSED_BYTES
    again = request(f"localhost:{server.port}", "/docs", headers={"If-None-Match": page.value("etag")})
    assert (again.status, again.body) == (304, b"")

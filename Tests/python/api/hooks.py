"""What schemathesis runs beside its checks: a live credential for every request."""

from __future__ import annotations

import os
import re
from pathlib import Path

import schemathesis
from schemathesis.core.parameters import ParameterLocation

from api.api_server import Credentials
from harness.command_line import CommandLine

WORKSPACE_ID = re.compile("ws_[0-9A-Za-z]{1,40}")
DATA = Path(os.environ["API_TEST_DATA"])
CREDENTIALS = Credentials(CommandLine(DATA / "keybearer.db", DATA / "keybearer.keys"))


@schemathesis.auth(refresh_interval=None)
class Credential:
    """A Secret Key, or the operator token, as the path wants it."""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return CREDENTIALS.credential(case.operation.path)

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"
        leave_out_impossible_workspace(case)


def leave_out_impossible_workspace(case: schemathesis.Case) -> None:
    """Takes out an X-Workspace-Id that is no id where the request is about something else: a valid request, or one with a
    method that the path does not have. The coverage phase ignores the `pattern` of a header."""
    value = case.headers.get("X-Workspace-Id")
    is_about_headers = case.meta is not None and case.meta.is_negative_at(ParameterLocation.HEADER)
    has_other_method = case.method.upper() != case.operation.method.upper()
    if value is not None and (has_other_method or not is_about_headers) and not WORKSPACE_ID.fullmatch(value):
        del case.headers["X-Workspace-Id"]


@schemathesis.hook
def after_call(
    context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response
) -> None:
    """A success of a path that ends its key needs another key next time."""
    if response.status_code in (200, 204):
        CREDENTIALS.ended(case.operation.path)

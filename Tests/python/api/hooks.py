"""What schemathesis runs beside its checks: a live credential for every request."""

from __future__ import annotations

import os
from pathlib import Path

import schemathesis

from api.api_server import Credentials
from harness.command_line import CommandLine

DATA = Path(os.environ["API_TEST_DATA"])
CREDENTIALS = Credentials(CommandLine(DATA / "keybearer.db", DATA / "keybearer.keys"))


@schemathesis.auth(refresh_interval=None)
class Credential:
    """A Secret Key, or the operator token, as the path wants it."""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return CREDENTIALS.credential(case.operation.path)

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def after_call(
    context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response
) -> None:
    """A success of a path that ends its key needs another key next time."""
    if response.status_code in (200, 204):
        CREDENTIALS.ended(case.operation.path)

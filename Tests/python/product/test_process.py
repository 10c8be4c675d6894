"""What a process gives away to its machine: core files (``ProcessHardening``), and its arguments."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from harness.command_line import CommandLine
from harness.keybearer import KeybearerServer
from harness.programs import ENVIRONMENT, keybearer_program

# Arguments whose names sound like a secret: each names a file, or is none.
HARMLESS = {
    "idempotency-key", "key-prefix", "master-key-file", "oidc-client-secret-file", "password-cost", "regenerate-by-key",
    "secret-file", "tls-key",
}


def test_a_server_writes_no_core_file(tmp_path: Path) -> None:
    commands = CommandLine(tmp_path / "keybearer.db", tmp_path / "keybearer.keys")
    commands.create_database()
    server = KeybearerServer(commands, tmp_path / "log.jsonl")
    server.start()
    [limit] = re.findall(
        r"^Max core file size +(\w+) +(\w+)", Path(f"/proc/{server.program.pid}/limits").read_text(), re.MULTILINE)
    server.stop()
    assert limit == ("0", "0")


def names_of(command: dict) -> set[str]:
    """The names of all arguments that take a value, of a command and those below it."""
    found = set()
    for argument in command.get("arguments", []):
        if argument["kind"] == "positional":
            found.add(argument["valueName"])
        elif argument["kind"] == "option":
            found |= {name["name"] for name in argument["names"]}
    return found.union(*(names_of(each) for each in command.get("subcommands", [])))


def test_no_argument_is_a_secret() -> None:
    """Arguments are in the list of processes, which everybody on the machine can read."""
    dump = subprocess.run(
        [keybearer_program(), "--experimental-dump-help"], capture_output=True, check=True, timeout=60, env=ENVIRONMENT)
    names = names_of(json.loads(dump.stdout)["command"])
    assert len(names) > 80
    assert {name for name in names if {"password", "secret", "token", "key", "code"} & set(name.split("-"))} == HARMLESS

"""The receivers of docs/webhooks.md: they believe the messages that they should, and no others.

The messages are signed here, by the text of Standard Webhooks 1.0 and not by the server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.programs import ENVIRONMENT, REPOSITORY

BLOCK = re.compile(r"^```(\w+)\n((?:#|//) receiver\b.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [match.groups() for match in BLOCK.finditer((REPOSITORY / "docs" / "webhooks.md").read_text())]
PLAIN = "# receiver of X-TDC-Signature"

KEY, OTHER_KEY = bytes(range(32)), bytes(range(100, 132))
BODY = '{"id":"evt_1","event":"invoice.paid","data":{"object":{"name":"Zoë"}}}'.encode()
# Says whether the message on its standard input is genuine.
NODE = """
import { readFileSync } from 'node:fs';
const { verify } = await import(process.argv[1]);
const { secret, headers, body } = JSON.parse(readFileSync(0, 'utf8'));
console.log(verify(secret, headers, Buffer.from(body, 'base64')));
"""


def text_of(key: bytes) -> str:
    """A secret as its holder has it."""
    return "whsec_" + base64.b64encode(key).decode()


def code(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


@dataclass
class Message:
    """What arrives, and the secret that the receiver has."""

    is_genuine: bool
    keys: list[bytes] = field(default_factory=lambda: [KEY])
    # How many seconds ago it was signed.
    age: int = 0
    secret: str = text_of(KEY)
    arrives: bytes = BODY
    # Headers that somebody changed on the way; None for one that is gone.
    changed: dict[str, str | None] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        seconds = int(time.time()) - self.age
        content = f"evt_1.{seconds}.".encode() + BODY
        standard = ["v1," + base64.b64encode(code(key, content)).decode() for key in self.keys]
        plain = ["v1=sha256=" + code(key, f"{seconds}.".encode() + BODY).hex() for key in self.keys]
        signed = {
            "webhook-id": "evt_1", "webhook-timestamp": str(seconds), "webhook-signature": " ".join(standard),
            "x-tdc-signature": ",".join([f"t={seconds}", *plain]),
        }
        return {name: value for name, value in (signed | self.changed).items() if value is not None}


MESSAGES = {
    "genuine": Message(True),
    "without the prefix of the secret": Message(True, secret=text_of(KEY).removeprefix("whsec_")),
    "rotated, the receiver has the new secret": Message(True, keys=[KEY, OTHER_KEY]),
    "rotated, the receiver has the old secret": Message(True, keys=[OTHER_KEY, KEY]),
    "four minutes old": Message(True, age=240),
    "six minutes old": Message(False, age=360),
    "six minutes in the future": Message(False, age=-360),
    "tampered body": Message(False, arrives=BODY.replace(b"paid", b"void")),
    "wrong secret": Message(False, secret=text_of(OTHER_KEY)),
    # A setting that was left empty: everybody knows that key.
    "empty secret": Message(False, keys=[b""], secret=""),
    "no signature": Message(False, keys=[]),
}
# What was changed of the headers of Standard Webhooks, and of the other one.
STANDARD = {
    "another id": {"webhook-id": "evt_2"},
    "another time": {"webhook-timestamp": str(int(time.time()) - 60)},
    "no time": {"webhook-timestamp": "now"},
    "no id": {"webhook-id": None},
    "no signatures": {"webhook-signature": None},
    "signatures of no kind": {"webhook-signature": "v1 v1, v2,AAAA ,"},
    "not ASCII": {"webhook-signature": "v1,é"},
}
TDC = {
    "another time": {"x-tdc-signature": f"t={int(time.time())},v1=sha256={'0' * 64}"},
    "no header": {"x-tdc-signature": None},
}


def cases(changes: dict[str, dict[str, str | None]]) -> list:
    changed = {f"changed: {name}": Message(False, changed=headers) for name, headers in changes.items()}
    return [pytest.param(message, id=name) for name, message in (MESSAGES | changed).items()]


# The same in Go and PHP.
GO = """
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"receiver/webhooks"
)

func main() {
	var message struct {
		Secret  string
		Headers map[string]string
		Body    []byte
	}
	if err := json.NewDecoder(os.Stdin).Decode(&message); err != nil {
		panic(err)
	}
	headers := http.Header{}
	for name, value := range message.Headers {
		headers.Set(name, value)
	}
	fmt.Println(webhooks.Verify(message.Secret, headers, message.Body))
}
"""
PHP = """
require $argv[1];
$message = json_decode(file_get_contents('php://stdin'), true);
echo verify($message['secret'], $message['headers'], base64_decode($message['body'])) ? 'true' : 'false';
"""


def receiver_in(language: str, is_plain: bool = False) -> str:
    [text] = [text for name, text in BLOCKS if name == language and text.startswith(PLAIN) == is_plain]
    return text


def in_python(text: str, message: Message) -> bool:
    names: dict = {}
    exec(compile(text, "webhooks.md", "exec"), names)
    return names["verify"](message.secret, message.headers(), message.arrives)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What runs the receiver of each language, on a message on its standard input."""
    directory = tmp_path_factory.mktemp("receivers")
    for name in ("node", "php"):
        assert shutil.which(name), f"there is no {name}; scripts/install-dependencies --test installs it"
    (directory / "receiver.mjs").write_text(receiver_in("js"))
    (directory / "receiver.php").write_text("<?php\n" + receiver_in("php"))
    (directory / "webhooks").mkdir()
    (directory / "webhooks" / "receiver.go").write_text(receiver_in("go"))
    (directory / "main.go").write_text(GO)
    (directory / "go.mod").write_text("module receiver\n\ngo 1.21\n")
    # Nothing is downloaded.
    environment = {
        **os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0",
        "GOCACHE": str(directory / "cache"), "GOPATH": str(directory / "path"),
    }
    go = str(Path(sys.executable).with_name("go"))
    subprocess.run([go, "build", "-o", "receiver", "."], cwd=directory, env=environment, check=True)
    return {
        "js": ["node", "--input-type=module", "--eval", NODE, str(directory / "receiver.mjs")],
        "php": ["php", "-r", PHP, str(directory / "receiver.php")],
        "go": [str(directory / "receiver")],
    }


def in_program(program: list[str], message: Message) -> bool:
    body = base64.b64encode(message.arrives).decode()
    sent = json.dumps({"secret": message.secret, "headers": message.headers(), "body": body})
    output = subprocess.check_output(program, input=sent, text=True, timeout=60, env=ENVIRONMENT)
    return {"true": True, "false": False}[output.strip()]


@pytest.mark.parametrize("message", cases(STANDARD))
@pytest.mark.parametrize("language", ["python", "js", "go", "php"])
def test_a_receiver_believes_what_is_genuine_alone(
    language: str, message: Message, programs: dict[str, list[str]]
) -> None:
    is_python = language == "python"
    believed = in_python(receiver_in(language), message) if is_python else in_program(programs[language], message)
    assert believed is message.is_genuine


@pytest.mark.parametrize("message", cases(TDC))
def test_the_receiver_of_the_plain_signature(message: Message) -> None:
    assert in_python(receiver_in("python", is_plain=True), message) is message.is_genuine

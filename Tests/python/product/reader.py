"""Somebody who follows a document to the letter, on a machine with an installation of Keybearer on SQLite."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import cleanup
from harness.command_line import CommandLine
from harness.ports import free_port
from harness.processes import Program
from harness.programs import ENVIRONMENT, keybearer_program
from harness.waiting import Failure, eventually

# The hosts and folders of the documents. The folders are below the reader's own folder here, and the hosts are this machine.
HOSTS = ["yourapp.com", "keys.yourapp.com", "keys.example.com"]
FOLDERS = re.compile(
    r"(?<![\w./-])/(etc/keybearer|var/lib/keybearer|backup|mnt/elsewhere|run/keybearer|tmp/demo|usr/sbin/sendmail)\b")
ADDRESS = re.compile(r"(?<![\w.])(\*|10\.0\.0\.5|127\.0\.0\.1|0\.0\.0\.0|localhost):(\d{2,5})\b|(--port )(\d{4})\b")
# What the documents have in the place of an id, a token or a key that the reader has; `whe_…` is the form for all of them.
PLACEHOLDER = re.compile(r"\b(kbo|opt|whe|ws|kbbackup)_(?:[0-9A-Za-z]{20}\b|[0-9A-Za-z]*…)|\b(tdc)_YOUR_API_KEY\b")
PRINTED = re.compile(r"\b(?:(kbo|opt|whe|ws|kbbackup|evt)_[0-9A-Za-z_-]{12,}|(tdc)_[0-9A-Za-z]{38})")
# Programs that run until they are stopped, and what they print when they are ready.
ENDLESS = {
    "keybearer serve": "Listening on", "keybearer demo": "Stop with", "keybearer webhook listen": "Listening",
}
SCOPES = [
    "introspect", "users:read", "users:write", "users:identity", "workspaces:read", "workspaces:write", "plans:write",
    "quota:reset", "keys:lookup", "keys:regenerate", "keys:reveal", "keys:import", "portal", "usage:read", "audit:read",
    "events:publish", "webhooks:write",
]


@dataclass(frozen=True)
class Installation:
    """The files that every reader begins with: Ada's account on the plan Pro, and a certificate."""

    directory: Path
    # Ada's key and workspace, and an operator token, by the beginning of each.
    known: dict[str, str]

    @classmethod
    def make(cls, directory: Path) -> Installation:
        commands = CommandLine(directory / "keybearer.db", directory / "keybearer.keys")
        commands.create_database()
        commands.run("user", "create", "ada@example.com", "--name", "Ada", "--no-password", "--external-id", "42")
        account = commands.account("ada@example.com", "pro")
        commands.run("workspace", "set-external-id", account.workspace, "acme")
        scopes = [part for scope in SCOPES for part in ("--scope", scope)]
        token = commands.run("operator-token", "create", "reader", *scopes).split()[-1]
        listed = commands.json("operator-token", "list")
        names = ",".join(f"DNS:{host}" for host in ["localhost", *HOSTS])
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}", "-keyout", directory / "privkey.pem", "-out",
             directory / "fullchain.pem"],
            check=True, capture_output=True, timeout=60)
        known = {"tdc": account.key, "ws": account.workspace, "kbo": token, "opt": listed[0]["id"]}
        return cls(directory, known)


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    command: str
    code: int
    output: str
    errors: str

    @property
    def json(self) -> object:
        return json.loads(self.output)


class Reader:
    """Runs the commands of one document, each with what those before it left behind."""

    def __init__(self, installation: Installation, settings: dict[str, object], replaced: dict[str, str]):
        """- settings: of the server, on top of what every reader's server has; None for one that it does not have.
        - replaced: what the document's text becomes here, beside what all documents have in common."""
        self.home = cleanup.temporary_directory()
        self.known = dict(installation.known)
        # A token with all scopes.
        self.operator_token = self.known["kbo"]
        self.last: Done | None = None
        self.port = free_port()
        self._replaced = replaced
        # The ports of the documents, and what they are here.
        self.ports = {number: self.port for number in ("443", "8443", "8080")}
        self._programs: dict[str, Program] = {}
        self._serve = "keybearer serve"
        for name in ("etc/keybearer", "var/lib/keybearer", "backup", "mnt/elsewhere", "run/keybearer", "bin"):
            (self.home / name).mkdir(parents=True, mode=0o700)
        for name in ("keybearer.db", "keybearer.keys"):
            shutil.copy(installation.directory / name, self.home / "var/lib/keybearer")
        for name in ("fullchain.pem", "privkey.pem"):
            shutil.copy(installation.directory / name, self.etc)
        self.place("etc/keybearer/oidc-secret", "a secret of the client\n")
        (self.home / "usr/sbin").mkdir(parents=True)
        self.place("usr/sbin/sendmail", f"#!/bin/sh\ncat >> {self.home}/mails\n").chmod(0o700)
        (self.home / "bin/keybearer").symlink_to(keybearer_program())
        (self.home / "bin/python3").symlink_to(sys.executable)
        self.settings = {
            "address": f"127.0.0.1:{self.port}", "tls-certificate": f"{self.etc}/fullchain.pem",
            "tls-key": f"{self.etc}/privkey.pem", "public-url": "https://keys.yourapp.com",
            "database": f"{self.home}/var/lib/keybearer/keybearer.db",
            "master-key-file": f"{self.home}/var/lib/keybearer/keybearer.keys",
        }
        self._directory = self.home / "var/lib/keybearer"
        connects = "".join(f'connect-to = "{host}::127.0.0.1:{self.port}"\n' for host in HOSTS)
        self.place(".curlrc", f'silent\nshow-error\nfail-with-body\ncacert = "{self.etc}/fullchain.pem"\n{connects}')
        self._variables = {
            **ENVIRONMENT, "PATH": f"{self.home}/bin:{ENVIRONMENT['PATH']}", "CURL_HOME": str(self.home),
            "NODE_EXTRA_CA_CERTS": f"{self.etc}/fullchain.pem", "KEYBEARER_CONFIG": f"{self.etc}/keybearer.json",
            "KEY": self.known["tdc"], "URL": "https://yourapp.com", "TOKEN": self.known["kbo"],
            "OPERATOR_TOKEN": self.known["kbo"], "PASSWORD": "a password that nobody guesses",
        }
        self.change_settings(settings)

    @property
    def etc(self) -> Path:
        return self.home / "etc/keybearer"

    def place(self, name: str, text: str) -> Path:
        """Writes a file that nobody else may read."""
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def change_settings(self, settings: dict[str, object]) -> None:
        """Changes the settings file."""
        self.settings = {name: value for name, value in (self.settings | settings).items() if value is not None}
        self.place("etc/keybearer/keybearer.json", json.dumps(self.settings))

    def forget_installation(self) -> None:
        """Goes back to where nothing is installed yet; the settings file stays for who needs one."""
        shutil.rmtree(self.home / "var/lib/keybearer")
        self._directory = self.home

    # What the text of a document becomes.

    def text(self, text: str) -> str:
        """A document's text with this reader's folders, ports, ids and secrets."""
        for old, new in self._replaced.items():
            text = text.replace(old, new)
        text = text.replace("{home}", str(self.home))
        text = FOLDERS.sub(lambda match: f"{self.home}{match.group()}", text)
        text = ADDRESS.sub(self._address, text)
        return PLACEHOLDER.sub(lambda match: self.known[match.group(1) or match.group(2)], text)

    def _address(self, match: re.Match[str]) -> str:
        host, number, option, port = match.groups()
        if option:
            return option + str(self._port(port))
        # An address of the operator API is another one than that of the server with the same port.
        return f"127.0.0.1:{self._port(f'{host}:{number}' if host.startswith('10.') else number)}"

    def _port(self, name: str) -> int:
        if name not in self.ports:
            self.ports[name] = free_port()
        return self.ports[name]

    # Commands.

    def run(self, command: str, may_fail: bool = False) -> Done:
        """Runs a command of a document, of one or several lines. Those of ``ENDLESS`` go on in the background."""
        command = self.text(command)
        words = command.split()
        if words[:2] == ["systemctl", "stop"]:
            self.stop("keybearer serve")
            return self._end(Done(command, 0, "", ""))
        if words[:2] == ["systemctl", "start"]:
            return self._begin(self._serve, "keybearer serve")
        for name in ENDLESS:
            if command.startswith(name + " ") or command == name:
                return self._begin(command, name)
        state = self.home / "state"
        # What a command sets stays: variables, and the folder.
        script = f"set -euo pipefail; set -a\n{command}\nset +a; env -0 > {state}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._directory, env=self._variables, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            pairs = (pair.partition("=") for pair in state.read_text().split("\0") if pair)
            self._variables = {name: value for name, _, value in pairs}
            self._directory = Path(self._variables["PWD"])
        elif not may_fail:
            raise Failure(f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}\n{self._logs()}")
        return self._end(Done(command, done.returncode, done.stdout, done.stderr))

    def _end(self, done: Done) -> Done:
        """Takes the ids and secrets that a command printed: the next one uses them."""
        for match in PRINTED.finditer(done.errors + done.output):
            self.known[match.group(1) or match.group(2)] = match.group()
        if re.search(r"/key/(revoke|regenerate)", done.command):
            # The page of the dashboard shows the new one.
            shown = subprocess.run(
                ["keybearer", "key", "show", "ada@example.com"], env=self._variables, cwd=self._directory,
                capture_output=True, text=True, timeout=60, check=True)
            self.known["tdc"] = self._variables["KEY"] = shown.stdout.strip()
        self.last = done
        return done

    def _begin(self, command: str, name: str) -> Done:
        """Starts a program that goes on; one of the same name ends, as by Ctrl-C."""
        self.stop(name)
        number = len(list(self.home.glob("program-*")))
        log, output = self.home / f"program-{number}.log", self.home / f"program-{number}.out"
        self._programs[name] = program = Program(
            ["bash", "-c", f"exec {command}"], log, output=output, environment=self._variables,
            directory=self._directory)
        program.name = command
        ready = lambda: ENDLESS[name] in program.log + output.read_text()  # noqa: E731
        program.wait_until(ready, f"{command} was ready", 20)
        if name == "keybearer serve":
            self._serve = command
        return self._end(Done(command, 0, output.read_text(), program.log))

    def serve(self) -> None:
        """Starts the server, where a document takes one for granted."""
        if "keybearer serve" not in self._programs:
            self._begin(self._serve, "keybearer serve")

    def stop(self, name: str) -> None:
        if program := self._programs.pop(name, None):
            code = program.end()
            assert code in (0, -15, 143), f"{program.name} ended with {code}:\n{program.log}"

    def stop_all(self) -> None:
        for name in list(self._programs):
            self.stop(name)

    def printed_by(self, name: str, condition: Callable[[str], bool]) -> str:
        """What a program in the background has printed, as soon as the condition is true of it."""
        output = sorted(self.home.glob("program-*.out"))[-1]
        return eventually(
            lambda: text if condition(text := output.read_text()) else None, f"{name} printed it", 20)

    def _logs(self) -> str:
        return "".join(program.log[-2000:] for program in self._programs.values())


def commands_in(block: str) -> list[tuple[str, list[str]]]:
    """The commands of a shell block, each with the lines of output that stand as comments below it."""
    found: list[tuple[str, list[str]]] = []
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("#"):
            if found and re.match(r"# (HTTP/|\{|[a-z-]+: | )", line):
                found[-1][1].append(line.removeprefix("# "))
            continue
        if not line.strip():
            continue
        while not _is_whole(line):
            line += "\n" + next(lines)
        found.append((line, []))
    return found


def _is_whole(command: str) -> bool:
    """Whether a command ends with this line."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return not command.endswith("\\")


def node(script: str, reader: Reader) -> str:
    """Runs a module of Node.js to the letter, but for its address and key."""
    text = re.sub(r"https://yourapp\.com(:8443)?", f"https://localhost:{reader.port}", reader.text(script))
    done = subprocess.run(
        ["node", "--input-type=module", "-"], input=text, capture_output=True, text=True, timeout=60,
        env={**ENVIRONMENT, "NODE_EXTRA_CA_CERTS": f"{reader.etc}/fullchain.pem"})
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return done.stdout



"""The documents work as they stand: each of their blocks of code is run here, is checked here, is run by another test that it
names, or says why it is not run. And the tests that the threat model names are there.

A comment on the line before a block says what is to be known of it:

    <!-- not run: REASON -->          nobody runs it
    <!-- run by: TEST, TEST -->       other tests run it, or the file that it quotes
    <!-- output of: COMMANDS -->      what these commands print, one on each line
    <!-- sent to: METHOD PATH -->     the body of a request, or its headers
    <!-- headers of: METHOD PATH -->  headers of the response

Blocks of commands (`sh`) are run one after another by one ``Reader`` for each document. Comments below a command that look
like output are compared with what it prints, and a response (`json`) with that of the request before it: by its form, since
ids, times and numbers are others.
"""

from __future__ import annotations

import configparser
import datetime
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import postgres
from harness.documents import Block, blocks_in, blocks_of, documents, is_a_test, named_tests
from harness.mailbox import MSMTP
from harness.programs import HAPROXY, REPOSITORY
from product.reader import ENDLESS, Done, Installation, Reader, commands_in, node

DOCUMENTS = documents()
THREATS = "docs/threat-model.md"
PLAIN: dict[str, object] = {"tls-certificate": None, "tls-key": None, "public-url": None}
# Settings of a document's server that it takes for granted; None for a setting that the server does not have.
SETTINGS: dict[str, dict[str, object]] = {
    "README.md": PLAIN,
    "docs/api.md": {"regenerate-by-key": "open"},
    "docs/cli.md": {
        "public-url": None, "database": None, "master-key-file": None, "webhook-allowed-networks": "127.0.0.1/32"},
    "docs/configuration.md": PLAIN,
    "docs/errors.md": {"regenerate-by-key": "open"},
    "docs/existing-product.md": {"portal-return-urls": "https://app.yourapp.com/settings"},
    "docs/operator-api.md": {"portal-return-urls": "https://yourapp.com/settings"},
    "docs/webhooks.md": {"webhook-allowed-networks": "127.0.0.1/32"},
    "examples/product/README.md": {**PLAIN, "portal-return-urls": "https://product.example/settings"},
}
# Those that begin where nothing is installed yet.
NEW = ["docs/cli.md", "docs/getting-started.md"]
# A time that has not come yet, whenever the tests run.
SOON = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=60)).strftime("%Y-%m-%dT00:00:00Z")
# What a document's text becomes, where a reader writes something else there too.
REPLACED: dict[str, dict[str, str]] = {
    # Nothing is sent to the outside: to a port of this machine where nobody listens.
    "docs/cli.md": {"https://yourapp.com/hooks": "http://127.0.0.1:9001/hooks", "2027-01-31T00:00:00Z": SOON},
    "docs/webhooks.md": {"https://example.com/webhooks": "http://127.0.0.1:9001/webhooks"},
    "docs/sign-in-oidc.md": {"https://login.example.com": "http://127.0.0.1:9001"},
    # The page says what to add in a script.
    "docs/getting-started.md": {'--name "You"': '--name "You" --generate-password'},
    # The end of such a command stands for other settings, and the name of the backup for the newest one's.
    "docs/operations.md": {
        "keys.yourapp.com …": "keys.yourapp.com", ".sock …": ".sock", "keybearer-20261201T020000Z.kbb": "keybearer-*.kbb"},
    "docs/operator-api.md": {
        "acme-live-…": "acme-live-0123456789abcdef", "ext:team-7": "ext:acme",
        # A user that there is not yet.
        '"ada@example.com", "name": "Ada", "externalId": "42"': '"eve@example.com", "name": "Eve", "externalId": "43"'},
    # No mail leaves the machine.
    "docs/mail.md": {"/usr/bin/msmtp -C /etc/keybearer/msmtprc": "/usr/sbin/sendmail"},
}


def _add_webhook(reader: Reader) -> None:
    """What people do in the dashboard: a webhook, here of a receiver on this machine."""
    reader.run(
        "(umask 077 && keybearer webhook add Billing http://127.0.0.1:9000/ --workspace ext:acme --event invoice.paid "
        "> billing.secret)")
    reader.run("keybearer webhook listen --port 9000 --secret-file billing.secret")


def _create_eve(reader: Reader) -> None:
    reader.run("keybearer user create eve@example.com --name Eve --no-password")


# What a reader has done, by the document and the beginning of the command before which it is done.
DONE_BEFORE: dict[tuple[str, str], Callable[[Reader], object]] = {
    ("docs/cli.md", "keybearer key lookup"): lambda reader: reader.run("keybearer key show ada@example.com > found.txt"),
    ("docs/cli.md", "keybearer workspace add-member"): _create_eve,
    ("docs/cli.md", "keybearer event put"): lambda reader: reader.run("echo '{\"id\": \"in_1042\"}' > invoice-paid.json"),
    ("docs/cli.md", "keybearer restore"): lambda reader: reader.stop("keybearer serve"),
    ("docs/cli.md", "keybearer doctor"): lambda reader: reader.stop("keybearer serve"),
    # The target has no accounts yet.
    ("docs/postgresql.md", "keybearer migrate"): lambda reader: reader.run(
        f'KEYBEARER_DATABASE="${{KEYBEARER_DATABASE%/*}}/{postgres.DATABASE}"'),
    ("docs/webhooks.md", "curl -H \"Authorization: Bearer $TOKEN\" -H \"Content-Type"): _add_webhook,
    ("examples/product/README.md", "USERS="): lambda reader: reader.run(f"cd {REPOSITORY}/examples/product"),
}


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation.make(tmp_path_factory.mktemp("installation"))


# How each block is treated.

# Languages whose blocks are read by what reads them elsewhere: ``CHECKS``, and JSON by ``_json``.
CHECKED = {"json", "ini", "haproxy", "regex", "sql", "msmtprc"}


def treatment_of(block: Block) -> str | None:
    """`run`, `checked`, `run by another test`, `not run`; None for what nobody looks at."""
    if block.kind in ("not run", "run by"):
        return {"not run": "not run", "run by": "run by another test"}[block.kind]
    if block.kind or block.language in ("sh", "http", "js", "python"):
        return "run"
    return "checked" if block.language in CHECKED else None


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_block_is_run_or_says_why_not(document: str) -> None:
    for block in blocks_of(document):
        assert treatment_of(block), f"{block}: nothing runs or checks this block; see {Path(__file__).name}"
        if block.kind == "not run":
            assert len(block.note.split()) > 2, f"{block}: {block.note!r} is no reason"
        if block.kind == "run by":
            names = named_tests(block.note)
            assert names and not re.sub(r"[\s,]", "", _without(block.note, names)), f"{block}: {block.note!r} names no tests"
            for name in names:
                assert is_a_test(name), f"{block}: there is no test {name}"


def _without(text: str, names: list[str]) -> str:
    for name in names:
        text = text.replace(name, "", 1)
    return text


def test_what_is_counted(report: Callable[[str], None]) -> None:
    counted = Counter(treatment_of(block) for document in DOCUMENTS for block in blocks_of(document))
    report("Blocks of the documents: " + ", ".join(f"{count} {name}" for name, count in counted.most_common()))
    # Who adds a reason takes one away, or says here that there are more.
    assert counted["not run"] <= 30
    assert counted.total() > 110


def test_a_block_that_nobody_looks_at_is_found() -> None:
    text = "```\nkeybearer nonsense\n```\n\n<!-- not run: no -->\n```sh\nreboot\n```\n\n<!-- run by: test_x.py::test_y -->\n" \
        "```nginx\n```\n"
    bare, unreasoned, misnamed = blocks_in(text, "x.md")
    assert treatment_of(bare) is None
    assert (unreasoned.kind, unreasoned.note) == ("not run", "no")
    assert named_tests(misnamed.note) == ["test_x.py::test_y"] and not is_a_test("test_x.py::test_y")


def test_targets_of_make_and_scripts_are_there() -> None:
    """Commands that build are not run; what they name is looked at."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    found = 0
    for block in (block for document in DOCUMENTS for block in blocks_of(document) if block.language == "sh"):
        for command, _ in commands_in(block.text):
            program, *words = shlex.split(command, comments=True)
            if program == "make":
                assert targets.issuperset(word for word in words if "=" not in word), f"{block}: {command}"
                found += 1
            if program.startswith("scripts/"):
                assert (REPOSITORY / program).exists(), f"{block}: {program}"
    assert found >= 6


# Followed to the letter.

def _reader(document: str, installation: Installation) -> Reader:
    reader = Reader(installation, SETTINGS.get(document, {}), REPLACED.get(document, {}))
    if document in NEW:
        reader.forget_installation()
    return reader


def _follow(reader: Reader, document: str) -> None:
    for block in blocks_of(document):
        if treatment_of(block) not in ("run", "checked"):
            continue
        try:
            if block.kind == "output of":
                _expect_output(reader, block)
            elif block.kind in ("sent to", "headers of"):
                _send(reader, block)
            else:
                FOLLOWED[block.language](reader, block)
        except Exception as problem:
            problem.add_note(f"in {block}")
            raise


FOLLOWING = [
    document for document in DOCUMENTS
    if document != "docs/postgresql.md" and {treatment_of(block) for block in blocks_of(document)} & {"run", "checked"}
]


@pytest.mark.parametrize("document", FOLLOWING)
def test_a_document_can_be_followed(document: str, installation: Installation) -> None:
    reader = _reader(document, installation)
    try:
        _follow(reader, document)
    finally:
        reader.stop_all()


def test_the_page_of_postgresql_can_be_followed(installation: Installation) -> None:
    server = postgres.PostgresServer().make()
    place = f"postgres://{postgres.USER}@127.0.0.1:{server.port}"
    options = f"-h 127.0.0.1 -p {server.port} -U {postgres.USER}"
    reader = Reader(installation, {}, {
        "createdb keybearer": f"{postgres.programs()}/createdb {options} documents",
        # There is no certificate, and everybody of this machine may come in.
        "postgres://keybearer@db.internal/keybearer?sslmode=verify-full&sslrootcert=/etc/keybearer/db-ca.pem":
            f"{place}/documents",
    })
    reader.ports[str(server.port)] = server.port
    try:
        _follow(reader, "docs/postgresql.md")
    finally:
        reader.stop_all()
        server.stop()


def _run(reader: Reader, document: str, command: str) -> Done:
    for (where, beginning), action in DONE_BEFORE.items():
        if where == document and command.startswith(beginning):
            action(reader)
    # A document whose commands need a server and start none takes one for granted.
    if re.search(r"\bcurl\b|\bnode list\b|python3 product", command):
        reader.serve()
    return reader.run(command)


def _commands(reader: Reader, block: Block) -> None:
    for command, shown in commands_in(block.text):
        done = _run(reader, block.document, command)
        text = "\n".join(shown)
        if "{" in text:
            _expect_same_form(*_parsed(text), json.loads(_body(done.output)))
        else:
            _expect_lines(shown, done.output)


def _code_of_python(reader: Reader, block: Block) -> None:
    wanted = re.findall(r"^print\(.*\)  # (.*)$", block.text, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-"], input=block.text, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == wanted


def _code_of_node(reader: Reader, block: Block) -> None:
    reader.serve()
    assert node(block.text, reader).startswith("User profile: {")


def _json(reader: Reader, block: Block) -> None:
    value = json.loads(block.text)
    if "ok" in value:
        _expect_same_form(value, False, json.loads(_body(reader.last.output)))
    elif "apiVersion" in value:
        printed = reader.printed_by("keybearer webhook listen", lambda text: "{" in text)
        _expect_same_form(value, False, json.loads(printed[printed.index("{"):]))
    else:
        # All that is left are settings.
        settings = json.loads(reader.text(block.text))
        reader.change_settings(settings)
        found = json.loads(reader.run("keybearer doctor --json", may_fail=True).output)
        [finding] = [each for each in found if each["subject"] == "settings"]
        assert finding["state"] == "ok", finding


def _request(reader: Reader, block: Block) -> None:
    """A whole request: its first line, and a body from the first brace on."""
    head, brace, body = block.text.partition("{")
    method, path = head.split()
    _curl(reader, block, method, path, brace + body)


def _curl(reader: Reader, block: Block, method: str, path: str, body: str = "", header: str = "") -> Done:
    words = ["curl", "-i", "-X", method, "https://keys.yourapp.com" + path]
    # The token has every scope, which the last one that the document made may lack.
    credential = reader.operator_token if path.startswith("/operator") else "tdc_YOUR_API_KEY"
    words += ["-H", header or f"Authorization: Bearer {credential}"]
    if body:
        words += ["-H", "Content-Type: application/json", "-d", body]
    return _run(reader, block.document, shlex.join(words))


def _send(reader: Reader, block: Block) -> None:
    method, path = block.note.split()
    if block.kind == "headers of":
        done = _curl(reader, block, method, path)
        _expect_lines(block.text.splitlines(), done.output)
    elif block.text.startswith("{"):
        done = _curl(reader, block, method, path, block.text)
        for each in json.loads(_body(done.output))["data"].get("results", []):
            assert each["status"] < 300, each
    else:
        _curl(reader, block, method, path, header=block.text.strip())


def _expect_output(reader: Reader, block: Block) -> None:
    """Compares the block with what its commands print, on whichever of the two outputs."""
    program, _, actions = block.note.partition(", after ")
    if program in ENDLESS:
        reader.run(actions)
        lines = block.text.splitlines()
        _expect_lines(lines, reader.printed_by(program, lambda text: all(each in text for each in ["{", "signature"])))
        return
    outputs = []
    for command in block.note.splitlines():
        if "curl" in command:
            reader.serve()
        done = reader.run(command, may_fail=True)
        outputs.append(done.output + done.errors)
    if block.language == "json":
        _expect_same_form(*_parsed(block.text), json.JSONDecoder().raw_decode(outputs[-1])[0])
    else:
        _expect_lines(reader.text(block.text).splitlines(), "\n".join(outputs), is_whole=len(outputs) == 1)


# What is not run.

def _check_systemd(reader: Reader, block: Block) -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str
    unit.read_string(block.text)
    assert unit.sections() == ["Unit", "Service", "Install"]
    program, command, *_ = unit["Service"]["ExecStart"].split()
    assert (program, command) == ("/usr/local/bin/keybearer", "serve")


def _check_haproxy(reader: Reader, block: Block) -> None:
    around = "defaults\n    mode http\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n" \
        f"frontend clients\n    bind 127.0.0.1:{reader.port}\n    default_backend keybearer\n"
    reader.place("haproxy.cfg", around + block.text)
    done = subprocess.run([HAPROXY, "-c", "-f", reader.home / "haproxy.cfg"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def _check_pattern(reader: Reader, block: Block) -> None:
    pattern = re.compile(block.text.strip())
    assert pattern.search(f"the key {reader.known['tdc']}.") and not pattern.search(f"x{reader.known['tdc']}x")


def _check_statements(reader: Reader, block: Block) -> None:
    """SQL, while no server runs."""
    reader.stop_all()
    reader.run(f'{postgres.programs()}/psql "$KEYBEARER_DATABASE" -X -q -v ON_ERROR_STOP=1 -c {shlex.quote(block.text)}')


def _check_mail_program(reader: Reader, block: Block) -> None:
    file = reader.place("etc/keybearer/msmtprc", reader.text(block.text))
    reader.place("etc/keybearer/smtp-password", "a password\n")
    done = subprocess.run(
        [MSMTP, "-C", file, "--pretend", "you@yourapp.com"], input="", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "smtp.yourapp.com" in done.stdout, done.stderr


CHECKS: dict[str, Callable[[Reader, Block], None]] = {
    "ini": _check_systemd, "haproxy": _check_haproxy, "regex": _check_pattern, "sql": _check_statements,
    "msmtprc": _check_mail_program,
}
FOLLOWED = {
    "sh": _commands, "http": _request, "js": _code_of_node, "python": _code_of_python, "json": _json, **CHECKS,
}


# Forms.

def _body(output: str) -> str:
    """The body of a response, with its head (`curl -i`) or without."""
    return output[output.index("{"):]


def _parsed(text: str) -> tuple[object, bool]:
    """JSON of a document, and whether some of it is left out."""
    shortened = re.sub(r",\s*…", "", text)
    return json.loads(shortened), shortened != text


def _expect_same_form(shown: object, is_shortened: bool, real: object, place: str = "") -> None:
    """The same members at the same places, of the same types. What can be null may be null in one of the two."""
    if isinstance(shown, dict) and isinstance(real, dict):
        unknown, missing = shown.keys() - real.keys(), real.keys() - shown.keys()
        assert not unknown and (is_shortened or not missing), f"{place or 'the answer'}: {unknown=}, {missing=}"
        for name in shown:
            _expect_same_form(shown[name], is_shortened, real[name], f"{place}.{name}")
    elif isinstance(shown, list) and isinstance(real, list):
        assert bool(shown) == bool(real), place
        for element in shown:
            _expect_same_form(element, is_shortened, real[0], f"{place}[]")
    elif shown is not None and real is not None:
        assert type(shown) is type(real), f"{place}: {shown!r} is {real!r}"


VARIABLE = re.compile(
    r"(?P<gap>  +)|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<id>\b[a-z]+_[0-9A-Za-z-]{12,})|(?P<machine>[\w.-]+:\d+(?= \())"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<rest>…)")
FORMS = {
    "gap": " +", "time": r"\S+", "id": r"[a-z]+_[0-9A-Za-z-]+", "machine": r"\S+", "number": r"[\d.]+", "rest": ".*",
}


def _form(line: str) -> re.Pattern[str]:
    """A pattern for a line, with other ids, times and numbers in it, and other widths of columns."""
    parts, end = [], 0
    for match in VARIABLE.finditer(line):
        parts += [re.escape(line[end:match.start()]), FORMS[match.lastgroup]]
        end = match.end()
    return re.compile("".join([*parts, re.escape(line[end:])]), re.IGNORECASE)


def _expect_lines(shown: list[str], output: str, is_whole: bool = False) -> None:
    """Each line that is shown is one of the output's; all of them are shown where it is the whole output."""
    lines = [line.rstrip() for line in output.splitlines()]
    for each in shown:
        assert any(_form(each.rstrip()).fullmatch(line) for line in lines), f"{each!r} is not in\n{output}"
    if is_whole and "…" not in "".join(shown):
        assert len(shown) >= len([line for line in lines if line]), f"{shown} is not all of\n{output}"


# The threat model.

def test_each_threat_names_a_test_or_says_that_none_shows_it() -> None:
    text = (REPOSITORY / THREATS).read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| Threat", "| ---"))]
    assert len(rows) > 60
    for row in rows:
        threat, against, remains, shown = (cell.strip() for cell in row.strip("|").split(" | "))
        assert all((threat, against, remains, shown)), f"a cell is empty: {row}"
        names = named_tests(shown)
        for name in names:
            assert is_a_test(name), f"there is no test {name} ({threat})"
        assert names or re.match(r"not tested: \S+ \S+ \S+", shown), f"no test and no reason: {row}"

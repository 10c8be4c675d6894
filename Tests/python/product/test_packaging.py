"""What the Debian package has besides the program: manual pages, completions, the service and its settings.

`scripts/test-package` installs it; these tests need no root.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.programs import ENVIRONMENT, REPOSITORY, keybearer_program
from harness.unit_file import UnitFile

SETTINGS = REPOSITORY / "packaging/keybearer.json"
# A line that is a setting, commented out.
EXAMPLE = re.compile(r'(?m)^  // ("[a-z-]+": .*,)$')


def run(*words: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, words)], capture_output=True, text=True, input=text, timeout=60, env=ENVIRONMENT)


def keybearer(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return run(keybearer_program(), *words)


@pytest.fixture(scope="module")
def commands() -> dict[str, list[str]]:
    """The names of the subcommands of each command."""
    tree = json.loads(keybearer("--experimental-dump-help").stdout)["command"]
    found = {
        each["commandName"]: [inner["commandName"] for inner in each.get("subcommands", [])]
        for each in tree["subcommands"] if each["commandName"] != "help"
    }
    assert len(found) > 20 and "create" in found["user"]
    return found


def test_manual_pages_name_every_command_and_every_setting(commands: dict[str, list[str]], tmp_path: Path):
    done = run(REPOSITORY / "scripts/write-man-pages", keybearer_program(), tmp_path)
    assert done.returncode == 0, done.stderr
    pages = {page.name: page.read_text().replace("\\-", "-") for page in tmp_path.iterdir()}
    assert sorted(pages) == sorted(["keybearer.1", *(f"keybearer-{name}.1" for name in commands)])
    for name, subcommands in commands.items():
        assert f"keybearer-{name}\\fR(1)" in pages["keybearer.1"]
        for subcommand in subcommands:
            assert f".SS keybearer {name} {subcommand}\n" in pages[f"keybearer-{name}.1"]
    configuration = (REPOSITORY / "docs/configuration.md").read_text()
    variables = set(re.findall(r"^\| `--[a-z-]+` \| `(KEYBEARER_[A-Z_]+)`", configuration, re.MULTILINE))
    assert len(variables) > 40
    assert variables | {"KEYBEARER_CONFIG"} == set(re.findall(r"Variable: \\fB(KEYBEARER_[A-Z_]+)", pages["keybearer.1"]))
    if shutil.which("mandoc"):
        checked = run("mandoc", "-T", "lint", "-W", "warning", *tmp_path.iterdir())
        assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_name_every_command(shell: str, commands: dict[str, list[str]], tmp_path: Path):
    done = keybearer("--generate-completion-script", shell)
    assert done.returncode == 0, done.stderr
    for name, subcommands in commands.items():
        for word in (name, *subcommands):
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", done.stdout), word
    script = tmp_path / "script"
    script.write_text(done.stdout)
    if shutil.which(shell):
        checked = run(shell, "-n", script)
        assert checked.returncode == 0, checked.stderr


def in_folder(text: str, folder: Path) -> str:
    """A settings file whose data, certificate and key are in a folder of the test."""
    assert "/var/lib/keybearer/" in text and "/etc/keybearer/" in text
    return re.sub("/(var/lib|etc)/keybearer/", f"{folder}/", text)


def test_the_service_runs_a_command_line_that_is_understood(tmp_path: Path):
    unit = UnitFile()
    program, *words = unit.command
    assert program == "/usr/bin/keybearer"
    settings = tmp_path / "keybearer.json"
    settings.write_text(in_folder(SETTINGS.read_text(), tmp_path))
    done = keybearer(*(str(settings) if word == "/etc/keybearer/keybearer.json" else word for word in words))
    # It was understood, and so was the file: what is missing is what init makes.
    assert done.returncode == 66 and "keybearer.keys" in done.stderr, done.stderr
    assert str(done.returncode) in unit.value("RestartPreventExitStatus").split()


def test_the_settings_file_is_accepted_with_all_of_its_examples(tmp_path: Path):
    text, count = EXAMPLE.subn(r"  \1", in_folder(SETTINGS.read_text(), tmp_path))
    assert count > 10
    assert not re.search(r'//\s*"', text), "an example is left out"
    settings = tmp_path / "keybearer.json"
    settings.write_text(text)
    for name in ("fullchain.pem", "privkey.pem"):
        (tmp_path / name).touch()
    done = keybearer("init", "--config", settings, "--email", "operator@example.com", "--generate-password")
    assert done.returncode == 0 and "https://keys.yourapp.com/sign-in" in done.stderr, done.stderr
    listed = keybearer("user", "list", "--config", settings)
    assert listed.returncode == 0 and "operator@example.com" in listed.stdout, listed.stderr

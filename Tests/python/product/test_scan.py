"""The rules of examples/scanning, run by the programs that they are for: detect-secrets with its plugin, git with the hook, and
the patterns for gitleaks and TruffleHog. ``ScanCommand`` is asked what the truth is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from harness.programs import REPOSITORY, keybearer_program

EXAMPLES = REPOSITORY / "examples/scanning"
KEY = "tdc_mhSV82nDJu2hxSJZJpdCgRy3GWlxIgLU1KkTKC"
MISTYPED = KEY[:-1] + "D"


def run(*words: str | Path, folder: Path, text: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder), "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }
    return subprocess.run(words, cwd=folder, input=text, capture_output=True, env=environment, timeout=120)


def test_detect_secrets_finds_keys_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"first = 1\nkey = '{KEY}'\nother = '{MISTYPED}'\n")
    (tmp_path / "b.txt").write_text(f"curl -H 'Authorization: Bearer {KEY}' https://example.com\n")
    done = run(
        "detect-secrets", "scan", "--all-files", "--plugin", EXAMPLES / "detect_secrets_keybearer.py", ".", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [
        (name, one["line_number"]) for name, secrets in json.loads(done.stdout)["results"].items() for one in secrets
        if one["type"] == "Keybearer Secret Key"
    ]
    assert found == [("a.py", 2), ("b.txt", 1)]
    truth = run(keybearer_program(), "scan", ".", "--format", "json", folder=tmp_path)
    assert truth.returncode == 1, truth.stderr
    assert [(one["file"].removeprefix("./"), one["line"]) for one in json.loads(truth.stdout)["finds"]] == found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    assert run("git", "init", "-q", folder=folder).returncode == 0
    (folder / "old.txt").write_text(f"one\n{KEY}\ntwo\n")
    run("git", "add", ".", folder=folder)
    assert run("git", "commit", "-q", "-m", "Before the hook", folder=folder).returncode == 0
    shutil.copy(EXAMPLES / "pre-commit", folder / ".git/hooks/pre-commit")
    return folder


def commit(folder: Path) -> subprocess.CompletedProcess[bytes]:
    run("git", "add", "-A", folder=folder)
    return run("git", "commit", "-q", "-m", "Change", folder=folder)


def test_the_hook_looks_at_added_lines_alone(repository: Path) -> None:
    (repository / "old.txt").write_text(f"one, changed\n{KEY}\ntwo\n")
    done = commit(repository)
    assert done.returncode == 0, done.stderr
    (repository / "old.txt").write_text("one\ntwo\n")
    assert commit(repository).returncode == 0
    (repository / "mistyped.txt").write_text(MISTYPED + "\n")
    assert commit(repository).returncode == 0


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("new.txt", f"a\nb\nx={KEY};\n".encode(), "new.txt:3"), ("last.txt", KEY.encode(), "last.txt:1"),
        ("wide.txt", f"\ufeff{KEY}\n".encode("utf-16-le"), "wide.txt:1"),
        ("data.bin", b"\0\1\xff" + KEY.encode() + b"\xff", "data.bin:1"),
        ("plus.txt", f"++ b/{KEY}\n".encode(), "plus.txt:1"), (f"{KEY}.txt", b"nothing\n", "tdc_mhSV....txt (its name)"),
    ])
def test_the_hook_refuses_a_key(repository: Path, name: str, content: bytes, place: str) -> None:
    (repository / name).write_bytes(content)
    # A setting of the repository changes nothing.
    for setting in ["diff.noprefix", "color.ui", "diff.mnemonicPrefix"]:
        run("git", "config", setting, "always" if setting == "color.ui" else "true", folder=repository)
    done = commit(repository)
    assert done.returncode != 0
    assert f"{place}: tdc_mhSV... is a Secret Key" in done.stderr.decode()
    assert KEY not in done.stderr.decode()


def test_the_patterns_of_other_scanners_find_keys() -> None:
    rules = tomllib.loads((EXAMPLES / "gitleaks.toml").read_text())["rules"]
    detectors = yaml.safe_load((EXAMPLES / "trufflehog.yaml").read_text())["detectors"]
    patterns = [[rule["regex"] for rule in rules], [next(iter(one["regex"].values())) for one in detectors]]
    for key, token in patterns:
        for around in ["{}", "key={}", '"{}"', "Bearer {}\r", "{},"]:
            assert re.search(key, around.format(KEY))[1] == KEY
            for length in [53, 43]:
                secret = "kbo_" + ("aB3" * 18)[:length]
                assert re.search(token, around.format(secret))[1] == secret
        assert re.search(key, KEY[:-1]) is None and re.search(key, KEY + "a") is None
    assert {rule["keywords"][0] for rule in rules} == {one["keywords"][0] for one in detectors} == {"tdc_", "kbo_"}


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_what_cannot_be_printed_is_a_failure_and_no_crash(tmp_path: Path, form: str) -> None:
    (tmp_path / "a.txt").write_text(KEY)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [keybearer_program(), "scan", str(tmp_path), "--format", form], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 74, done.stderr
    assert KEY.encode() not in done.stderr

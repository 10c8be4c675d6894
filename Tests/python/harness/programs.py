"""Which programs a run starts, and the environment that they get."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def program(variable: str, default: str) -> Path:
    """The program that a variable names, or its default inside the repository."""
    path = Path(os.environ.get(variable, default))
    return path if path.is_absolute() else REPOSITORY / path


def keybearer_program() -> Path:
    """The server under test."""
    return program("KEYBEARER_BINARY", ".build/debug/keybearer")


CHROMIUM = program("CHROMIUM", "/usr/bin/chromium")
NGINX = program("NGINX", "/usr/sbin/nginx")
HAPROXY = program("HAPROXY", "/usr/sbin/haproxy")
PROMETHEUS = program("PROMETHEUS", "/usr/bin/prometheus")
PROMTOOL = program("PROMTOOL", "/usr/bin/promtool")
CADDY = program("CADDY", ".venv/bin/caddy")
ENVOY = program("ENVOY", ".venv/bin/envoy")
TRAEFIK = program("TRAEFIK", ".venv/bin/traefik")
GO = program("GO", ".venv/bin/go")

# The variables of the one who runs the tests must not configure what is under test.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("KEYBEARER_", "CADDY_", "TRAEFIK_", "PG")) and not name.lower().endswith("_proxy")
}


def missing(*programs: Path) -> str | None:
    """What to say of the first program that cannot be run; None when all can."""
    for path in programs:
        if not os.access(path, os.X_OK):
            return f"{path} is missing or cannot be run."
    return None

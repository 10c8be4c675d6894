"""What the benchmarks need beside Swift: programs, Python packages, the paced client; and the versions of all."""

import contextlib
import glob
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys

from harness.waiting import Failure

from .processes import print_progress, run

FOLDER = os.path.dirname(os.path.abspath(__file__))
BENCHMARKS = os.path.dirname(FOLDER)
ROOT = os.path.dirname(BENCHMARKS)
VENV = os.path.join(BENCHMARKS, ".venv")
PEERS = os.path.join(BENCHMARKS, "peers")
# A header of the server's with which a program in C asks for short slices of processor time.
SCHEDULING = os.path.join(ROOT, "Sources", "CScheduling")
# nginx and HAProxy are in directories that not every account's PATH has.
os.environ["PATH"] += os.pathsep + os.pathsep.join(["/usr/local/sbin", "/usr/sbin", "/sbin"])


def install_programs(wanted: dict[str, str]) -> None:
    """Installs the packages of the programs that are missing (program: package)."""
    missing = {program: package for program, package in wanted.items() if not is_there(program)}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if not shutil.which("apt-get"):
        raise Failure(f"these programs are missing, and there is no apt-get to install them with: {' '.join(missing)}")
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    print_progress(f"Installing: {' '.join(packages)}")
    run([*as_root, "apt-get", "update", "-q"], "apt-get update")
    environment = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive"]
    run([*environment, "apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], "apt-get install")
    # Debian starts a server when its package is installed. Nobody wants that here.
    if os.path.isdir("/run/systemd/system"):
        for service in {"nginx", "haproxy", "postgresql"} & set(packages):
            subprocess.run([*as_root, "systemctl", "disable", "--now", "-q", service], check=False)


def is_there(program: str) -> bool:
    if program == "python3-venv":
        # Debian packs this part of Python apart.
        return importlib.util.find_spec("ensurepip") is not None
    if program == "initdb" and glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        # Debian keeps each version's programs in a folder of its own, out of the path.
        return True
    return shutil.which(program) is not None


def install_python_packages() -> str:
    """Makes the virtual environment of the Django peers, or keeps the one there is; returns where its programs are."""
    programs = os.path.join(VENV, "bin")
    requirements = os.path.join(PEERS, "requirements.txt")
    done = os.path.join(VENV, "installed-requirements.txt")
    with open(requirements) as file:
        wanted = file.read()
    with contextlib.suppress(OSError), open(done) as file:
        if file.read() == wanted and os.path.exists(os.path.join(programs, "gunicorn")):
            return programs
    print_progress("Making the Python environment of the Django peers")
    run([sys.executable, "-m", "venv", "--clear", VENV], "venv")
    run([os.path.join(programs, "pip"), "install", "-q", "--disable-pip-version-check", "-r", requirements],
        "pip install", timeout=600)
    with open(done, "w") as file:
        file.write(wanted)
    return programs


def compile_program(name: str, directory: str) -> str:
    """Compiles one of the programs in C beside these modules."""
    program = os.path.join(directory, name)
    run(["cc", "-O2", "-pthread", "-I", SCHEDULING, "-o", program, os.path.join(FOLDER, f"{name}.c")], f"compiling {name}.c")
    return program


def versions(keybearer: str, names: set[str]) -> list[tuple[str, str]]:
    """The versions of what was measured and what measured it."""
    found = [("Keybearer", f"{run([keybearer, '--version'], 'keybearer').strip()}, {revision()}")]
    swift = subprocess.run(["swift", "--version"], capture_output=True, text=True, check=False) \
        if shutil.which("swift") else None
    if swift and (match := re.search(r"Swift version (\S+)", swift.stdout)):
        found.append(("Swift", match[1]))
    if "nginx" in names:
        output = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False)
        found.append(("nginx", (output.stderr + output.stdout).strip().rpartition("/")[2]))
    if "haproxy" in names:
        found.append(("HAProxy", run(["haproxy", "-v"], "haproxy").split()[2].partition("-")[0]))
    # wrk prints its version and then fails, for want of an address.
    output = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    if match := re.search(r"wrk (\S+)", output.stdout + output.stderr):
        found.append(("wrk", match[1].removeprefix("debian/")))
    if names & {"knox", "apikey"}:
        found.append(("Python", platform.python_version()))
        listed = json.loads(run([os.path.join(VENV, "bin", "pip"), "list", "--format", "json",
                                 "--disable-pip-version-check"], "pip list"))
        packages = {entry["name"].lower(): entry["version"] for entry in listed}
        for name in ("django", "djangorestframework", "django-rest-knox", "djangorestframework-api-key", "gunicorn"):
            found.append((name, packages.get(name, "unknown")))
    return found


def revision() -> str:
    """The commit that was measured, and whether files differ from it."""
    git = ["git", "-C", ROOT]
    named = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=False)
    if named.returncode != 0:
        return "not from a repository"
    # The last run's results do not make the program another.
    changed = subprocess.run([*git, "status", "--porcelain", "--", "Sources", "Package.swift", "Benchmarks",
                              "Tests/python/harness"],
                             capture_output=True, text=True, check=False)
    return f"commit {named.stdout.strip()}" + (" with changes" if changed.stdout.strip() else "")


def machine() -> list[tuple[str, str]]:
    """What the figures depend on."""
    processor, memory = platform.machine(), None
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        if match := re.search(r"^model name\s*: (.+)$", file.read(), re.M):
            processor = f"{match[1]} ({platform.machine()})"
    with contextlib.suppress(OSError), open("/proc/meminfo") as file:
        if match := re.search(r"^MemTotal:\s+(\d+) kB", file.read(), re.M):
            memory = f"{int(match[1]) / 1024 ** 2:.0f} GiB"
    system = platform.system()
    with contextlib.suppress(OSError):
        system = platform.freedesktop_os_release().get("PRETTY_NAME", system)
    kernel = re.match(r"[\d.]+", platform.release())
    rows = [("processor", processor), ("cores", str(len(os.sched_getaffinity(0)))), ("memory", memory or "unknown"),
            ("system", system), ("kernel", f"{platform.system()} {kernel[0] if kernel else platform.release()}")]
    if is_virtual():
        rows.append(("virtual machine", "yes"))
    return rows


def is_virtual() -> bool:
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        return " hypervisor " in file.read()
    return False

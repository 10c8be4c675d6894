"""The two commits of a comparison: where they are built, and the accounts that each of them makes for itself.

Everything is below `.build-compare/<commit>/`, so a commit is built once:

- `source`: a git worktree of the commit
- `build`: what `swift build` leaves
- `keybearer`: the program, copied here when the build has succeeded
- `keybearer-stripped`: the same without debug information, which valgrind may not be able to read
- `accounts-600`: a database with accounts, its master keys, and a file with the accounts' keys
"""

import concurrent.futures
import contextlib
import dataclasses
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator

from harness.waiting import Failure

from .keybearer import Keybearer, account_emails
from .preparation import ROOT
from .processes import Processes, print_progress, run

DIRECTORY = os.path.join(ROOT, ".build-compare")
# Making one takes 0.3 s, since its password is hashed.
ACCOUNTS = 600


@dataclasses.dataclass(frozen=True)
class Version:
    """A commit that is built and has accounts."""

    # "base" or "head".
    name: str
    commit: str
    directory: str

    @property
    def binary(self) -> str:
        return os.path.join(self.directory, "keybearer")

    @property
    def stripped(self) -> str:
        return os.path.join(self.directory, "keybearer-stripped")

    @property
    def accounts(self) -> str:
        return os.path.join(self.directory, f"accounts-{ACCOUNTS}")

    def keys(self) -> list[str]:
        with open(os.path.join(self.accounts, "tokens")) as file:
            return file.read().split()

    def server(self, processes: Processes, directory: str, binary: str | None = None) -> Keybearer:
        """A server that is not started yet, on a fresh copy of the accounts."""
        place = os.path.join(directory, self.name)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.accounts, place)
        server = Keybearer(processes, binary or self.binary, place, has_gate=True, name=self.name)
        server.key = self.keys()[0]
        return server


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Two comparisons at the same time would measure each other."""
    os.makedirs(DIRECTORY, exist_ok=True)
    with open(os.path.join(DIRECTORY, "lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure("another comparison is running in this tree; wait until it has ended") from None
        yield


def commit(name: str) -> str:
    """The commit with this name."""
    found = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"],
        capture_output=True, text=True, check=False)
    if not name or found.returncode != 0:
        raise Failure(f"there is no commit {name!r} here; name one, as in `make bench-compare BASE=main~5`")
    return found.stdout.strip()


def prepare(processes: Processes, name: str, commit: str) -> Version:
    """Builds a commit and makes its accounts, unless an earlier run has done so."""
    short = commit[:10]
    version = Version(name, commit, os.path.join(DIRECTORY, short))
    if os.path.exists(version.binary):
        print_progress(f"{name}: {short} is built already")
    else:
        print_progress(f"{name}: building {short}")
        build(version)
    if not os.path.exists(version.stripped):
        replace(version.stripped, lambda path: run(["strip", "--strip-debug", "-o", path, version.binary], "strip"))
    if not os.path.isdir(version.accounts):
        print_progress(f"{name}: making {ACCOUNTS} accounts")
        replace(version.accounts, lambda path: make_accounts(processes, version, path))
    return version


def build(version: Version) -> None:
    source, scratch = os.path.join(version.directory, "source"), os.path.join(version.directory, "build")
    if not os.path.isdir(source):
        # --force: git may still have an entry for a worktree whose directory somebody has removed.
        run(["git", "-C", ROOT, "worktree", "add", "--force", "--detach", source, version.commit], "git worktree add")
    # Both commits use the dependencies of the working tree, as far as their manifests allow it.
    with contextlib.suppress(FileNotFoundError):
        shutil.copy(os.path.join(ROOT, "Package.resolved"), source)
    command = ["nice", "-n", "10", "swift", "build", "-c", "release", "-Xcc", "-O2", "--product", "keybearer",
               "--scratch-path", scratch]
    # Its output is shown: a build takes minutes.
    if subprocess.run(command, cwd=source, check=False).returncode != 0:
        raise Failure(f"`{' '.join(command[3:])}` failed in {source}")
    replace(version.binary, lambda path: shutil.copy(os.path.join(scratch, "release", "keybearer"), path))


def make_accounts(processes: Processes, version: Version, directory: str) -> None:
    """A database of this commit's own: accounts whose hourly limit is never reached, and a file with their keys."""
    server = Keybearer(processes, version.binary, directory, has_gate=True)
    os.makedirs(server.directory)
    server.commands.create_database()
    server.open_plan()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(server.commands.create_user, account_emails(ACCOUNTS)))
    with open(os.path.join(directory, "tokens"), "w") as file:
        file.writelines(f"{key}\n" for key in server.account_keys(ACCOUNTS))


def replace(path: str, make) -> None:
    """Makes a file or a directory under another name first: what has its own name is complete."""
    partial = f"{path}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    make(partial)
    os.replace(partial, path)

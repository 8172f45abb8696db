"""Builds `vendor/`: what the functions import, for the runtime they run in, compiled, or not at all.

Chalice packages the folder as it is. Its own way (requirements.txt) goes on without a package that has no wheel for the
runtime, and ships no bytecode; a cold start imports compiled packages 2.2 to 2.6 times faster. The bytecode is of the
unchecked kind: every file in the zip is dated 1980, so that Python would take the checked kind for stale.

What is installed is what the lock names (`infra/lock.py`), each wheel with a SHA-256 that stands there: pip refuses
every other, wherever it came from. Chalice's own way checks hashes only while it collects names; what the runtime needs
and this machine does not, it then fetches by name and version alone (`download_manylinux_wheels`).
"""

import compileall
import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import PenstockError
from infra import precompile
from infra.lock import LOCK, LockError, read_lock

FOLDER = "vendor"
RANGES = "infra/requirements-lambda.txt"
"""What we want, in ranges; `make lock` makes the lock of it."""
_STAMP = ".built"
# Raise it whenever this file builds something else from the same lock.
_RECIPE = 2

# The C library of each runtime: Amazon Linux 2 has glibc 2.26, Amazon Linux 2023 has 2.34 (Lambda guide, "Runtimes").
_OLD_GLIBC, _NEW_GLIBC = 26, 34


class VendorError(PenstockError):
    """The folder could not be built; what was there before still is."""

    code = "vendor_failed"


@dataclass(frozen=True, slots=True)
class Target:
    """The runtime that is built for: `python` such as `3.12`, `machine` `x86_64` or `arm64`, as Lambda says it."""

    python: str
    machine: str

    @property
    def platforms(self) -> list[str]:
        """The wheel platforms it can load, the newest first."""
        newest = _NEW_GLIBC if _version(self.python) >= (3, 12) else _OLD_GLIBC
        machine = "aarch64" if self.machine == "arm64" else self.machine
        return [*(f"manylinux_2_{minor}_{machine}" for minor in range(newest, 16, -1)), f"manylinux2014_{machine}"]


TARGETS = (
    # jsonatapy has no wheel for arm64 with the older C library.
    Target("3.11", "x86_64"),
    Target("3.12", "arm64"),
    Target("3.12", "x86_64"),
    Target("3.13", "arm64"),
    Target("3.13", "x86_64"),
)
"""Every runtime that can be deployed for; the lock holds wheels for each."""


def target_of(environment: Mapping[str, str]) -> Target:
    """The runtime that Chalice deploys for: this interpreter's version, arm64 from Python 3.12, x86_64 before.

    jsonatapy has no wheel for arm64 with Python 3.11's older C library. `PENSTOCK_ARCHITECTURE` overrides the machine.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    machine = environment.get("PENSTOCK_ARCHITECTURE") or ("arm64" if sys.version_info >= (3, 12) else "x86_64")
    if machine not in {"arm64", "x86_64"}:
        raise VendorError(f"PENSTOCK_ARCHITECTURE is {machine!r}. Set it to arm64 or x86_64.")
    return Target(version, machine)


def wanted_stamp(project: Path, target: Target) -> str:
    """What the folder's stamp says when it is current: a hash of the lock, the target and this recipe."""
    said = f"{_RECIPE}\n{target}\n{_lock_text(project)}"
    return hashlib.sha256(said.encode()).hexdigest()


def is_stale(project: Path, target: Target) -> bool:
    """Whether `vendor/` is missing, or was built from something else."""
    stamp = project / FOLDER / _STAMP
    return not stamp.is_file() or stamp.read_text() != wanted_stamp(project, target)


def build_if_stale(project: Path, target: Target, say: Callable[[str], None]) -> bool:
    """Build `vendor/` unless it is current, and bring what is compiled of our own up to date; whether it was built.

    Raises VendorError: see `build`; also where our own modules cannot be imported.
    """
    wanted = is_stale(project, target)
    if wanted:
        say(f"Building {FOLDER}/ for Python {target.python} on {target.machine}.")
        build(project, target)
    try:
        precompile.refresh(project, project / FOLDER)
    except precompile.PrecompileError as error:
        raise VendorError(str(error)) from error
    return wanted


def build(project: Path, target: Target) -> None:
    """Build `vendor/` anew beside the old one, then put it in its place.

    Raises:
        VendorError: the lock is broken, a wheel is another than the lock says, a package has no wheel for the target,
            or nothing could be downloaded; `vendor/` is as it was.
    """
    try:
        read_lock(_lock_text(project))  # an option in it would be obeyed by pip
    except LockError as error:
        raise VendorError(error.detail) from error
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=project) as scratch:
        made = Path(scratch) / "made"
        _install(pip_arguments(project / LOCK, made, target))
        prune(made)
        compile_tree(made, "/var/task")
        (made / _STAMP).write_text(wanted_stamp(project, target))
        _swap(made, project / FOLDER, Path(scratch) / "old")


def pip_arguments(lock: Path, into: Path, target: Target) -> list[str]:
    """Pip's arguments: wheels alone, those of the lock, for the target, nothing compiled."""
    return [
        *("install", "--quiet", "--disable-pip-version-check", "--target", str(into)),
        *(argument for platform in target.platforms for argument in ("--platform", platform)),
        *("--implementation", "cp", "--python-version", target.python),
        *("--only-binary=:all:", "--no-compile", "--require-hashes", "--requirement", str(lock)),
    ]


def prune(folder: Path) -> None:
    """Take out what no function imports: scripts, type stubs, tests, what pip keeps for uninstalling."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for path in [*folder.rglob("*.pyi"), *folder.rglob("*.pyx"), *folder.rglob("*.pxd"), *folder.rglob("RECORD")]:
        path.unlink()
    for path in sorted(folder.rglob("tests"), reverse=True):
        if path.is_dir():
            shutil.rmtree(path)


def compile_tree(folder: Path, where: str) -> None:
    """Compile every module beneath, unchecked; `where` is the folder that tracebacks name instead."""
    done = compileall.compile_dir(
        folder,
        quiet=2,
        force=True,
        stripdir=str(folder),
        prependdir=where,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        raise VendorError(f"A module under {folder.name} could not be compiled.")


def _lock_text(project: Path) -> str:
    try:
        return (project / LOCK).read_text("utf-8")
    except FileNotFoundError as error:
        raise VendorError(f"{LOCK} is missing. Take it out of the repository again, or run `make lock`.") from error


def _install(arguments: Sequence[str]) -> None:
    # pip warns of folders that are there already, and of versions the development environment wants: nobody's concern.
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False, env={**os.environ}
    )
    if done.returncode != 0:
        told = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise VendorError(f"The functions' packages could not be had as wheels. pip says:\n{told}")


def _swap(made: Path, place: Path, aside: Path) -> None:
    if place.exists():
        place.rename(aside)
    try:
        made.rename(place)
    except OSError as error:
        if aside.exists() and not place.exists():
            aside.rename(place)
        raise VendorError(f"{place} is being built by somebody else, or cannot be written.") from error


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))

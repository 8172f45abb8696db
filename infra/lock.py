"""The lock of the functions' packages: exact versions, and the SHA-256 of every wheel that a runtime of ours may get.

`make lock` writes it, `infra/vendor.py` installs from it and nothing else, `make sbom` and `make audit` read it. It
is a requirements file as pip reads it, in one shape, and what is not of this shape is refused: an option would choose
where packages come from, and a line without a hash would let anything in.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.errors import PenstockError

LOCK = "infra/requirements-lambda.lock"
_HEADER = """\
# Made by `make lock` from infra/requirements-lambda.txt; not edited by hand. Every wheel that a runtime of ours may get
# has its SHA-256 here, and nothing else is installed for the functions (infra/vendor.py).
"""
_PIN = re.compile(
    r"(?P<name>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)==(?P<version>[A-Za-z0-9.!+]+)"
    r"(?: ; python_version in '(?P<pythons>[0-9. ]+)')?"
    r"(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)
_HASH = "--hash=sha256:"
_VIA = "    # via "


class LockError(PenstockError):
    """The lock holds something else than exact versions with hashes."""

    code = "lock_broken"


@dataclass(frozen=True, slots=True)
class Pin:
    """One package at one version."""

    name: str
    """Normalized: lower case, with dashes."""
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of its wheels, in hexadecimal, sorted."""
    wanted_by: tuple[str, ...]
    """The packages that need it, sorted; `penstock` where we do."""
    pythons: tuple[str, ...] = ()
    """The Pythons that get this version, such as `3.11`; none named: all of them."""


def read_lock(text: str) -> list[Pin]:
    """The packages of a lock, in its order.

    Raises:
        LockError: a line is an option, names no exact version, has no hash, or says a package a second time; the
            message names the line.
    """
    pins: list[Pin] = []
    for number, line, comment in _logical_lines(text):
        found = _PIN.fullmatch(line)
        if found is None:
            raise LockError(
                f"{LOCK}, line {number}: {line[:60]!r} is not `name==version` with SHA-256 hashes. Run `make lock`."
            )
        pin = Pin(
            found["name"],
            found["version"],
            tuple(each.removeprefix(_HASH) for each in found["hashes"].split()),
            tuple(comment.split(", ")) if comment else (),
            tuple((found["pythons"] or "").split()),
        )
        if any(pin.name == other.name and _share_a_python(pin, other) for other in pins):
            raise LockError(f"{LOCK}, line {number}: {pin.name} stands there twice. Run `make lock`.")
        pins.append(pin)
    if not pins:
        raise LockError(f"{LOCK} names no package. Run `make lock`.")
    return pins


def write_lock(pins: Iterable[Pin]) -> str:
    """The lock's text, which `read_lock` reads back."""
    blocks: list[str] = [_HEADER]
    for pin in sorted(pins, key=lambda pin: (pin.name, pin.pythons)):
        # `in` compares pieces of a text: Pythons of two digits behind the dot cannot be mistaken for one another.
        only = f" ; python_version in '{' '.join(pin.pythons)}'" if pin.pythons else ""
        lines = [f"{pin.name}=={pin.version}{only}", *(f"    {_HASH}{each}" for each in pin.hashes)]
        blocks.append(" \\\n".join(lines) + "\n" + _VIA + ", ".join(pin.wanted_by) + "\n")
    return "".join(blocks)


def _logical_lines(text: str) -> Iterable[tuple[int, str, str]]:
    """Each entry on one line, with the number of its first one and what the comment under it says after `via`."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        first = at
        entry: list[str] = []
        while True:
            entry.append(lines[at].removesuffix("\\").strip())
            at += 1
            if not lines[at - 1].endswith("\\") or at == len(lines):
                break
        whole = " ".join(entry)
        if whole and not whole.startswith("#"):
            comment = lines[at].removeprefix(_VIA) if at < len(lines) and lines[at].startswith(_VIA) else ""
            yield first + 1, whole, comment


def _share_a_python(one: Pin, other: Pin) -> bool:
    return not one.pythons or not other.pythons or bool(set(one.pythons) & set(other.pythons))

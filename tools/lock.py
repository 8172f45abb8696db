"""Write the lock of the functions' packages: `python -m tools.lock [--upgrade all | --upgrade NAME ...]`.

uv resolves infra/requirements-lambda.txt once for each runtime, with wheels alone; what the lock names already stays as
it is while the ranges allow it. Of the wheels found, those are kept that the runtime can load.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from infra.lock import LOCK, LockError, Pin, read_lock, write_lock
from infra.vendor import RANGES, TARGETS, Target

ROOT = Path(__file__).parents[1]
_ENTRY = re.compile(r"(?P<name>[a-z0-9-]+)==\S+.*")


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write the lock; 2 where the arguments are wrong, 1 where nothing fits."""
    try:
        upgrade = _upgrades(arguments)
    except ValueError:
        print("usage: python -m tools.lock [--upgrade all | --upgrade NAME ...]", file=sys.stderr)
        return 2
    place = root / LOCK
    before = place.read_text("utf-8") if place.is_file() else ""
    try:
        known = read_lock(before) if before else []
        made = write_lock(merged({target: resolve(root, target, known, upgrade) for target in TARGETS}))
    except LockError as error:
        print(error.detail, file=sys.stderr)
        return 1
    place.write_text(made, "utf-8")
    print(f"{LOCK}: {len(read_lock(made))} packages, {'unchanged' if made == before else 'written'}")
    return 0


def resolve(root: Path, target: Target, known: Sequence[Pin], upgrade: Sequence[str]) -> list[Pin]:
    """What one runtime gets; raises LockError where the ranges cannot be met with wheels that it can load."""
    with tempfile.TemporaryDirectory(prefix="penstock-lock-") as folder:
        found, told = Path(folder) / "pylock.toml", Path(folder) / "told.txt"
        _write_preferences(found, [pin for pin in known if not pin.pythons or target.python in pin.pythons])
        _compile(root, target, "--format", "pylock.toml", "--no-annotate", *upgrade, "--output-file", str(found))
        packages: list[dict[str, Any]] = tomllib.loads(found.read_text("utf-8"))["packages"]
        # Once more in the other format, which alone says who needs what.
        told.write_text("".join(f"{each['name']}=={each['version']}\n" for each in packages), "utf-8")
        _compile(root, target, "--annotation-style", "line", "--output-file", str(told))
        needed_by = wanted_by(told.read_text("utf-8"))
    tags = frozenset(tags_of(target))
    return [
        Pin(each["name"], each["version"], hashes_of(each, tags, target), needed_by[each["name"]]) for each in packages
    ]


def hashes_of(package: dict[str, Any], tags: frozenset[Tag], target: Target) -> tuple[str, ...]:
    """The hashes of a pylock entry's wheels that a runtime with these tags can load; raises LockError for none."""
    hashes: set[str] = set()
    for wheel in package.get("wheels", []):
        name = wheel.get("name") or wheel["url"].rpartition("/")[2]
        try:
            wheel_tags = parse_wheel_filename(name)[3]
        except InvalidWheelFilename:
            continue
        if wheel_tags & tags:
            hashes.add(wheel["hashes"]["sha256"])
    if not hashes:
        raise LockError(f"{package['name']} {package['version']} has no wheel for {target}. Narrow its range.")
    return tuple(sorted(hashes))


def tags_of(target: Target) -> list[Tag]:
    """The wheel tags that a runtime accepts, as pip computes them from `vendor.pip_arguments`."""
    version = tuple(int(part) for part in target.python.split("."))
    interpreter = f"cp{''.join(target.python.split('.'))}"
    platforms = target.platforms
    return [
        *cpython_tags(version, [interpreter], platforms),
        *compatible_tags(version, interpreter, platforms),
    ]


def wanted_by(text: str) -> dict[str, tuple[str, ...]]:
    """Who needs each package, out of uv's requirements with one-line annotations."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        entry = _ENTRY.match(line)
        if entry is None:
            continue
        _, _, said = line.partition("# via ")
        # Ours are named by the file that asks for them.
        names = {"penstock" if each.startswith("-r ") else each for each in said.split(", ")}
        found[entry["name"]] = tuple(sorted(names))
    return found


def merged(resolved: dict[Target, list[Pin]]) -> list[Pin]:
    """One list for all runtimes: a version that only some Pythons get says so.

    Raises LockError where one Python would get different versions on different machines, for pip would choose by the
    machine that deploys.
    """
    pythons_of: dict[tuple[str, str], set[str]] = {}
    kept: dict[tuple[str, str], Pin] = {}
    for target, pins in resolved.items():
        for pin in pins:
            key = pin.name, pin.version
            pythons_of.setdefault(key, set()).add(target.python)
            other = kept.get(key, pin)
            kept[key] = Pin(*key, _united(pin.hashes, other.hashes), _united(pin.wanted_by, other.wanted_by))
    every = {target.python for target in resolved}
    for target, pins in resolved.items():
        own = {(pin.name, pin.version) for pin in pins}
        foreign = sorted(key for key in kept.keys() - own if target.python in pythons_of[key])
        if foreign:
            raise LockError(f"Python {target.python} would get {foreign[0]} on one machine only. Narrow its range.")
    return [
        Pin(pin.name, pin.version, pin.hashes, pin.wanted_by, () if found == every else tuple(sorted(found)))
        for key, pin in kept.items()
        for found in [pythons_of[key]]
    ]


def _united(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def _write_preferences(path: Path, pins: Sequence[Pin]) -> None:
    """A file in uv's own format: what it finds where it writes to, it keeps."""
    entries = "".join(f'\n[[packages]]\nname = "{pin.name}"\nversion = "{pin.version}"\n' for pin in pins)
    if entries:
        path.write_text(f'lock-version = "1.0"\ncreated-by = "penstock"\n{entries}', "utf-8")


def _compile(root: Path, target: Target, *arguments: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "--no-header"),
            *("--only-binary", ":all:", "--python-version", target.python),
            *("--python-platform", uv_platform(target), *arguments, RANGES),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LockError(f"uv finds nothing that fits for {target}:\n{done.stderr.strip()}")


def uv_platform(target: Target) -> str:
    """What uv calls a runtime's machine and C library; it knows no glibc 2.26, so the next older one stands for it."""
    newest = "manylinux_2_34" if "manylinux_2_34" in target.platforms[0] else "manylinux_2_17"
    return f"{'aarch64' if target.machine == 'arm64' else target.machine}-{newest}"


def _upgrades(arguments: Sequence[str]) -> list[str]:
    """What uv is told of what is to be upgraded; raises ValueError for arguments that are none of ours."""
    if not arguments:
        return []
    if arguments[0] != "--upgrade" or len(arguments) == 1:
        raise ValueError
    names = arguments[1:]
    return ["--upgrade"] if names == ["all"] else [part for name in names for part in ("--upgrade-package", name)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

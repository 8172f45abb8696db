"""What of our own goes into the functions' package: sources and their bytecode, without what only a desk needs.

Chalice packages whatever lies under `chalicelib/`, stale `__pycache__` folders included, and compiles nothing. This
lists the files instead: each module with bytecode made for the purpose and kept under `.chalice/`, never beside the
source, where an unchecked `.pyc` would hide every later edit.
"""

import hashlib
import importlib.util
import py_compile
from collections.abc import Iterator
from pathlib import Path

BYTECODE = ".chalice/deployments/bytecode"
NOT_PACKAGED = ("cli", "local")
"""Rooms of chalicelib that need packages which the functions do not have."""


def packaged(project: Path, found: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The files to package, each with its place in the zip, out of those that Chalice found."""
    for source, place in found:
        if not is_wanted(place):
            continue
        yield source, place
        if place.endswith(".py"):
            yield str(compiled(project, Path(source), place)), cached_place(place)


def is_wanted(place: str) -> bool:
    """Whether a file belongs on Lambda, by its place in the zip."""
    parts = place.split("/")
    if "__pycache__" in parts or parts[-1].startswith("."):
        return False
    return not (parts[0] == "chalicelib" and parts[1] in NOT_PACKAGED)


def cached_place(place: str) -> str:
    """Where Python looks for a module's bytecode: `a/b.py` has it in `a/__pycache__/b.cpython-312.pyc`."""
    return importlib.util.cache_from_source(place, optimization="")


def compiled(project: Path, source: Path, place: str) -> Path:
    """The bytecode of a module, made anew where its text changed; tracebacks name its place on Lambda."""
    digest = hashlib.sha256(place.encode() + b"\n" + source.read_bytes()).hexdigest()[:24]
    name = Path(cached_place(place)).name.removesuffix(".pyc")
    kept = project / BYTECODE / f"{name}-{digest}.pyc"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        py_compile.compile(
            str(source),
            cfile=str(kept),
            dfile=f"/var/task/{place}",
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    return kept

"""Compiles, when the package is built, what `dataclasses` would compile at every cold start.

Every module that goes into the package is imported once, in a process of its own, with `dataclasses` watched; the texts
it would compile are compiled and kept in one file that is packaged (`chalicelib/cloud/precompiled.py` uses it).
"""

import builtins
import dataclasses
import importlib
import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from chalicelib.cloud.precompiled import FILE, key_of
from infra.packaging import NOT_PACKAGED


class PrecompileError(Exception):
    """A module of ours cannot be imported."""


def refresh(project: Path, vendor: Path) -> bool:
    """Write the file into `vendor/` if it is not there word for word; returns whether it was written."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_LAMBDA_")}
    done = subprocess.run(
        [sys.executable, "-m", "infra.precompile"],
        cwd=project,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise PrecompileError(f"The package's modules cannot be imported:\n{done.stderr.decode()[-2000:]}")
    place = vendor / FILE
    if place.is_file() and place.read_bytes() == done.stdout:
        return False
    half = vendor / f"{FILE}.{os.getpid()}"
    half.write_bytes(done.stdout)
    half.replace(place)  # whoever packages the folder meanwhile finds a whole file
    return True


def record(names: list[str]) -> bytes:
    """Import the modules, and return what `dataclasses` compiled meanwhile, by the hash of its text."""
    kept: dict[bytes, bytes] = {}

    def execute(text: str, scope: dict[str, Any], local: dict[str, Any] | None = None) -> None:
        code = compile(text, "<string>", "exec")
        kept[key_of(text)] = marshal.dumps(code)
        builtins.exec(code, scope, local)  # noqa: S102  as dataclasses does

    setattr(dataclasses, "exec", execute)  # noqa: B010  hides the builtin of the same name there
    for name in names:
        importlib.import_module(name)
    return marshal.dumps(dict(sorted(kept.items())))


def packaged_modules(project: Path) -> list[str]:
    """Every module of ours that is packaged, by name."""
    found: list[str] = []
    for path in sorted((project / "chalicelib").rglob("*.py")):
        parts = path.relative_to(project).with_suffix("").parts
        if parts[1] not in NOT_PACKAGED:
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(record(packaged_modules(Path.cwd())))

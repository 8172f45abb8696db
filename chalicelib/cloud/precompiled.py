"""Spares a cold start the compiler: what `dataclasses` compiles at import was compiled when the package was built.

A dataclass writes its methods as text and hands them to `exec`, class by class; for the hundred classes of ours that a
delivery meets, that is a third of everything it imports. `infra/precompile.py` keeps the compiled texts, each under its
hash, in one file beside the package; here `exec` finds them. A text that is not in the file is compiled as ever, so a
file that is old, or missing, costs time and nothing else.
"""

import builtins
import dataclasses
import hashlib
import marshal
import sys
from types import CodeType
from typing import Any

FILE = f"dataclasses.{sys.implementation.cache_tag}.bin"


def key_of(text: str) -> bytes:
    """What a text is kept under."""
    return hashlib.sha256(text.encode()).digest()[:16]


def use(folder: str) -> bool:
    """Use the file that lies in this folder, or in its `vendor/`; returns whether there is one."""
    for place in (f"{folder}/{FILE}", f"{folder}/vendor/{FILE}"):
        try:
            with open(place, "rb") as file:  # noqa: PTH123  pathlib is an import that a cold start can do without
                kept: dict[bytes, bytes] = marshal.loads(file.read())  # noqa: S302  it is part of our own package
        except (OSError, ValueError, EOFError, TypeError):
            continue
        setattr(dataclasses, "exec", _runner(kept))  # noqa: B010  hides the builtin of the same name there
        return True
    return False


def _runner(kept: dict[bytes, bytes]) -> Any:
    def execute(text: str | CodeType, scope: dict[str, Any], names: dict[str, Any] | None = None) -> None:
        code = kept.get(key_of(text)) if isinstance(text, str) else None
        builtins.exec(text if code is None else marshal.loads(code), scope, names)  # noqa: S102, S302  as dataclasses does

    return execute

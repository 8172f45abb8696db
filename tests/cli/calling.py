"""Calling `penstock` in this process: its exit code, what it says, what it complains of."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from chalicelib.cli.main import app


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def penstock(*arguments: object, given: str | bytes | None = None, **variables: str) -> Said:
    """Call it; whatever it raises that is none of its own errors fails the test."""
    clean = {name: None for name in os.environ if name.startswith("PENSTOCK_")}
    result = CliRunner().invoke(app, [str(each) for each in arguments], input=given, env={**clean, **variables})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.stderr
    return Said(result.exit_code, result.stdout, result.stderr)


GOOD = """\
flow: greet
inputs: {name: {type: string, default: world}}
triggers:
  by_hand: {uses: manual}
steps:
  say: {uses: set, with: {text: "Hello ${ inputs.name }"}}
output: "${ steps.say.text }"
"""
BROKEN = """\
flow: broken
steps:
  a: {uses: sett, with: {x: "${ steps.b.x == 1 }"}}
  b: {uses: set, after: a}
  c: {uses: set, affter: a}
"""


def write(folder: Path, **files: str) -> Path:
    """A folder of flow files."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder

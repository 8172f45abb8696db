"""Which engine runs which language, and how its module is asked: the module is data, nothing of it runs here."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, cast

from chalicelib.errors import SettingError
from chalicelib.flow.values import Json

ENGINES: Final[Mapping[str, str]] = {"javascript": "quickjs.wasm"}
"""The module of each language, by the name that `RunCode` has for it."""

TEMPLATES: Final = Path(__file__).with_name("templates")
"""A folder for each language that plugins are written in: one that works, `my_plugin` by name."""

_FOLDER: Final = Path(__file__).with_name("engines")


class CodeMishap(NamedTuple):
    """Why a program gave nothing: `kind` is syntax, thrown, result, memory, stack or request."""

    kind: str
    message: str
    line: int | None
    retry: bool


@cache
def engine(language: str) -> bytes:
    """The module that runs a language; SettingError where it is missing, which is a broken installation."""
    try:
        return (_FOLDER / ENGINES[language]).read_bytes()
    except (KeyError, OSError) as error:
        raise SettingError(f"the engine for {language} is missing: install Penstock again") from error


@cache
def engine_hash(language: str) -> str:
    """The SHA-256 of that module, in hexadecimal; raises as `engine` does."""
    return hashlib.sha256(engine(language)).hexdigest()


def code_request(language: str, code: str, given: Json, now: str, seed: str) -> Mapping[str, Json]:
    """What the module is asked: to run this program on this input, at this time (ISO 8601), with this randomness."""
    return {"node": f"code.{language}", "parameters": {"code": code, "input": given, "now": now, "seed": seed}}


def read_code_answer(answer: Mapping[str, Json]) -> Json | CodeMishap:
    """The value that the program returned, or why it gave none."""
    match answer.get("ok"):
        case {"value": value, **rest} if not rest:
            return value
        case {"error": {"kind": str(kind), "message": str(message), **rest}}:
            line = cast("Json", rest.get("line"))
            return CodeMishap(kind, message, line if isinstance(line, int) else None, rest.get("retry") is True)
        case _:
            return CodeMishap("request", "its engine gave an answer that is none", None, retry=False)

"""Reads what a guest says: JSON, nothing that JSON has not, bounded in depth; an answer, or a question to its host."""

import json
import math
from collections.abc import Mapping
from typing import Final, NoReturn

from chalicelib.flow.values import Json

DEEPEST: Final = 200


class NoAnswerError(ValueError):
    """What the guest said is no answer."""


def read_json(content: bytes) -> Json:
    """A guest's JSON as a value; raises NoAnswerError, a ValueError, which says what is wrong."""
    try:
        value: Json = json.loads(content.decode(), parse_constant=_no_constant, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # half a character, escaped, is none
    except UnicodeError as error:
        raise NoAnswerError("it is no UTF-8") from error
    except RecursionError as error:
        raise NoAnswerError(f"it is nested more than {DEEPEST} deep") from error
    except NoAnswerError:
        raise
    except ValueError as error:
        raise NoAnswerError("it is no JSON") from error
    if _is_deeper(value, DEEPEST):
        raise NoAnswerError(f"it is nested more than {DEEPEST} deep")
    return value


def read_answer(content: bytes) -> Mapping[str, Json]:
    """A guest's answer, `{"ok"}` or `{"error": {"message", "retry", "code"}}`, whole; NoAnswerError is a ValueError."""
    value = read_json(content)
    if isinstance(value, dict) and value.keys() == {"ok"}:
        return value
    if isinstance(value, dict) and value.keys() == {"error"} and isinstance(error := value["error"], dict):
        message, retry, code = error.get("message"), error.get("retry", False), error.get("code", "")
        known = error.keys() <= {"message", "retry", "code"}
        if known and isinstance(message, str) and isinstance(retry, bool) and isinstance(code, str):
            return {"error": {"message": message[:2_000], "retry": retry, "code": code[:40]}}
    raise NoAnswerError('it is neither {"ok": ...} nor {"error": {"message": ...}}')


def _no_constant(text: str) -> NoReturn:
    raise NoAnswerError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NoAnswerError("it holds a number that is too large")
    return number


def _is_deeper(value: Json, most: int) -> bool:
    level: list[Json] = [value]
    for _ in range(most + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True

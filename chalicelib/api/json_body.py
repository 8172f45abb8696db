"""JSON that others send: read exactly or refused by name, and never more than a hundred levels deep."""

import json
from math import isfinite
from typing import Final, NoReturn

from chalicelib.api.content import BYTE_ORDER_MARK
from chalicelib.errors import BodyUnreadableError, Problem
from chalicelib.flow.values import Json
from chalicelib.flow.wording import place_in_json

DEEPEST: Final = 100


class _NotFinite(Exception):  # noqa: N818 - never leaves this file
    """A number that JSON does not have, or that is beyond what a float holds."""


def read_json(body: bytes) -> Json:
    """The value: whole numbers of up to 4,300 digits exact; of a key that stands twice, the last.

    Raises BodyUnreadableError for what is not UTF-8 or not JSON, NaN and infinities, half characters, and deep nesting.
    """
    try:
        text = body.decode("utf-8-sig" if body.startswith(BYTE_ORDER_MARK) else "utf-8")
    except UnicodeDecodeError as error:
        raise BodyUnreadableError(f"The JSON is not UTF-8: the byte at offset {error.start} does not fit.") from None
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        line, column = place_in_json(error)
        place = Problem("body", line, column, _plain(error.msg), "Mend the JSON.")
        raise BodyUnreadableError(
            f"The body is not JSON, as Content-Type says: line {line}, column {column}.", problems=[place]
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except _NotFinite:
        raise BodyUnreadableError(
            "The JSON holds NaN, an infinity, or a number that is too large. Write null, or a text."
        ) from None
    except ValueError:  # what `int` says of more than 4,300 digits
        raise BodyUnreadableError(
            "The JSON holds a whole number of more than 4,300 digits. Write it as text."
        ) from None
    if body.count(b"[") + body.count(b"{") > DEEPEST and _is_deep(value):
        raise _too_deep()
    # A decoded text holds no half characters; only an escape can bring one in.
    if "\\ud" in text or "\\uD" in text:
        _refuse_halves(value)
    return value


def _plain(message: str) -> str:
    """What Python's reader complains of, as a sentence; its messages never quote the text."""
    return f"{message.partition(':')[0]}."


def _refuse(_word: str) -> NoReturn:
    raise _NotFinite


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _refuse(text)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def _too_deep() -> BodyUnreadableError:
    return BodyUnreadableError(f"The JSON is nested more than {DEEPEST} levels deep. Send it flatter.")


def _is_deep(value: Json) -> bool:
    """Whether lists and objects stand in each other more than DEEPEST deep: level by level, without recursion."""
    level: list[Json] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, list | dict)
        ]
        if not level:
            return False
    return True


def _refuse_halves(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BodyUnreadableError(
            "The JSON holds half a character (a lone surrogate such as \\ud83d). Send the whole character."
        ) from None

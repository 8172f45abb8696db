"""What the fuzzer knows of a parser."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from chalicelib.errors import PenstockError

Take: TypeAlias = Callable[[bytes], object]
"""Hands one input to the parser. Raises Unfit for bytes that are no input of it."""

Shape: TypeAlias = Literal["text", "json"]


class Unfit(Exception):  # noqa: N818 - no error of the parser: the input does not reach it
    """These bytes do not stand for an input of this parser."""


@dataclass(frozen=True, slots=True)
class Parser:
    """One parser.

    Attributes:
        name: what `--parser` takes.
        calls: the functions it reaches, for people.
        seeds: valid examples, as bytes; read when the parser is first used.
        opened: makes what takes an input; imports late, since there are many.
        declared: what it may raise.
        share: inputs in each round: many for a cheap parser, few for one that takes milliseconds.
        shape: `json`: seeds are JSON documents, and are changed as values besides as bytes.
        words: what its texts are made of.
        seconds: the longest that one input may take.
        most_bytes: the longest input; parsers whose callers bound them lower are not given more.
    """

    name: str
    calls: str
    seeds: Callable[[], Sequence[bytes]]
    opened: Callable[[], Take]
    declared: tuple[type[Exception], ...] = (PenstockError,)
    share: int = 100
    shape: Shape = "text"
    words: tuple[bytes, ...] = ()
    seconds: float = 1.0
    most_bytes: int = 100_000


def text_of(content: bytes) -> str:
    """The input as text; bytes that are no UTF-8 become halves of characters, as a JSON escape can bring them in."""
    return content.decode("utf-8", "surrogateescape")


def value_of(content: bytes) -> Any:
    """The input as a JSON value; raises Unfit where it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Unfit from None


def object_of(content: bytes) -> dict[str, Any]:
    """The input as a JSON object; raises Unfit where it is none."""
    value = value_of(content)
    if not isinstance(value, dict):
        raise Unfit
    return cast("dict[str, Any]", value)

"""Changes valid examples: bytes by flips, cuts, copies and words; JSON documents as values too."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from chalicelib.flow.values import Json
from tools.fuzz.parser import Parser

_ODD_BYTES: Final = (
    *(
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xe2\x80\xae",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\n",
        b"\t",
        b"\x7f",
        b" ",
    ),
    # a long s, an Arabic one, a soft hyphen, odd blanks, a full-width dot and nought
    *(each.encode() for each in ("é", "ß", "İ", "\u017f", "\u0661", "\u00ad", "\u2028", "\u3000", "😀", "\ufffe")),
    *(each.encode() for each in ("\uff0e", "\uff10")),
)
_NUMBERS: Final = (
    *(b"0", b"-1", b"1e309", b"-0", b"1e-400", b"9007199254740993", b"99999999999999999999", b"0x10", b"00", b"NaN"),
    *(b"-9223372036854775808", b"1" * 400, b"9" * 4400, b"1.7976931348623157e308", b"1_000", b".5", b"5."),
)
_BRACKETS: Final = (b"[", b"{", b"(", b'{"a":', b"[[", b"${", b"- ", b"<a>", b"((", b"a.", b"!", b"{{", b"\\")
_QUOTES: Final = (b'"', b"'", b"`", b"\\", b"\\u", b"\\ud800", b"%", b"%00", b"%ff", b"&", b"&amp;", b";", b",", b":")
_SCALARS: Final[tuple[Json, ...]] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 10**400, 0.5, -0.0, 1e308, 5e-324),
    *(
        "",
        " ",
        "a",
        "0",
        "-1",
        "true",
        "null",
        "\ud800",
        "\x00",
        "é",
        "😀",
        "a" * 300,
        "${ x }",
        "${",
        "$${",
        "2026-11-20",
    ),
    *("1h", "a.b[0]", "../..", "%", "[", "\n", "=1", "__proto__", "NaN", "1e309", "UTC", [], {}, [[]], {"": None}),
)
_DEEPEST: Final = 300
"""Deeper values cannot be written as JSON without recursion; `_BRACKETS` nests text as deep as it likes."""


class Mutator:
    """One seed's endless row of inputs for one parser; the same seed gives the same row."""

    def __init__(self, parser: Parser, seeds: Sequence[bytes], seed: str) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - not for secrets
        self._seeds = tuple(seeds) or (b"",)
        self._most = parser.most_bytes
        self._words = (*_ODD_BYTES, *_NUMBERS, *_BRACKETS, *_QUOTES, *parser.words, *parser.words)
        self._changes: tuple[Callable[[bytearray], None], ...] = (
            *(self._set, self._flip, self._cut, self._cut, self._word, self._word, self._word),
            *(self._copy, self._splice, self._case, self._number, self._end),
        )
        self._values = _values_of(self._seeds) if parser.shape == "json" else ()
        self._fragments = tuple(each for value in self._values[:200] for each in _parts(value, 40))
        self._names = tuple({name for each in self._fragments if isinstance(each, dict) for name in each}) or ("a",)

    def next(self) -> bytes:
        """The next input."""
        roll = self._dice.random()
        if self._values:
            return self._document()
        if roll < 0.93:
            return self._changed(self._one_of(self._seeds))
        if roll < 0.96:
            return self._dice.randbytes(int(self._dice.expovariate(0.02)))[: self._most]
        if roll < 0.993:
            return b"".join(self._one_of(self._words) for _ in range(1 + self._below(12)))[: self._most]
        return self._large()

    def _one_of(self, choices: Sequence[Any]) -> Any:
        return choices[int(self._dice.random() * len(choices))]

    def _below(self, count: int) -> int:
        return int(self._dice.random() * count)

    def _changed(self, content: bytes) -> bytes:
        raw = bytearray(content)
        for _ in range(1 + int(self._dice.expovariate(0.7))):
            self._one_of(self._changes)(raw)
        return bytes(raw[: self._most])

    def _set(self, raw: bytearray) -> None:
        if raw:
            raw[self._below(len(raw))] = self._below(256)

    def _flip(self, raw: bytearray) -> None:
        if raw:
            raw[self._below(len(raw))] ^= 1 << self._below(8)

    def _cut(self, raw: bytearray) -> None:
        start = self._below(len(raw) + 1)
        del raw[start : start + 1 + int(self._dice.expovariate(0.2))]

    def _word(self, raw: bytearray) -> None:
        at = self._below(len(raw) + 1)
        raw[at:at] = self._one_of(self._words)

    def _copy(self, raw: bytearray) -> None:
        start = self._below(len(raw) + 1)
        piece = raw[start : start + 1 + self._below(40)]
        at = self._below(len(raw) + 1)
        raw[at:at] = piece * (1 + self._below(4))

    def _splice(self, raw: bytearray) -> None:
        other = self._one_of(self._seeds)
        start = self._below(len(other) + 1)
        at = self._below(len(raw) + 1)
        raw[at : at + self._below(40)] = other[start : start + self._below(60)]

    def _case(self, raw: bytearray) -> None:
        start = self._below(len(raw) + 1)
        raw[start : start + 8] = raw[start : start + 8].swapcase()

    def _number(self, raw: bytearray) -> None:
        digits = [at for at, byte in enumerate(raw[:2000]) if 48 <= byte <= 57]
        if digits:
            at = self._one_of(digits)
            raw[at : at + 1] = self._one_of(_NUMBERS)

    def _end(self, raw: bytearray) -> None:
        del raw[self._below(len(raw) + 1) :]

    def _large(self) -> bytes:
        """One word, or a part of an example, again and again: so shows what is quadratic, and what is recursive."""
        seed = self._one_of(self._seeds)
        start = self._below(len(seed) + 1)
        roll = self._dice.random()
        piece = self._one_of(_BRACKETS if roll < 0.5 else self._words)
        if roll > 0.75:
            piece = seed[start : start + 1 + self._below(60)]
        head = seed[: self._below(len(seed) + 1)] if self._dice.random() < 0.5 else b""
        tail = seed[self._below(len(seed) + 1) :] if self._dice.random() < 0.5 else b""
        many = 10 ** (1 + self._dice.random() * 4)
        return (head + piece * min(int(many), self._most // max(len(piece), 1)) + tail)[: self._most]

    def _document(self) -> bytes:
        value = self._one_of(self._values)
        for _ in range(1 + int(self._dice.expovariate(0.9))):
            value = self._value(value)
        try:
            return json.dumps(value, separators=(",", ":")).encode()[: self._most * 4]
        except RecursionError:
            return b"[]"

    def _value(self, value: Json) -> Json:
        """The value with one thing in it changed; what is around that is copied, the rest shared."""
        if isinstance(value, dict) and value and self._dice.random() < 0.85:
            name = self._one_of(tuple(value))
            copy = dict(value)
            roll = self._dice.random()
            if roll < 0.75:
                copy[name] = self._value(copy[name])
            elif roll < 0.85:
                del copy[name]
            elif roll < 0.92:
                copy[self._name()] = copy.pop(name)
            else:
                copy[self._name()] = self._fragment()
            return copy
        if isinstance(value, list) and value and self._dice.random() < 0.85:
            at = self._below(len(value))
            roll = self._dice.random()
            if roll < 0.75:
                return [*value[:at], self._value(value[at]), *value[at + 1 :]]
            if roll < 0.85:
                return [*value[:at], *value[at + 1 :]]
            return [*value[:at], self._fragment(), *value[at:]]
        if isinstance(value, str) and self._dice.random() < 0.6:
            return self._changed(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")
        return self._fragment()

    def _name(self) -> str:
        return self._one_of(self._names) if self._dice.random() < 0.7 else str(self._one_of(_SCALARS))[:60]

    def _fragment(self) -> Json:
        roll = self._dice.random()
        if self._fragments and roll < 0.45:
            return self._one_of(self._fragments)
        if roll < 0.02 + 0.45:
            value: Json = 1
            for _ in range(self._below(_DEEPEST)):
                value = [value] if roll < 0.46 else {"a": value}
            return value
        if roll < 0.03 + 0.45:
            return [self._one_of(_SCALARS)] * self._below(1500)
        return self._one_of(_SCALARS)


def _values_of(seeds: Sequence[bytes]) -> tuple[Json, ...]:
    return tuple(json.loads(each) for each in seeds)


def _parts(value: Json, most: int) -> list[Json]:
    """The value and what is in it, as many as asked for."""
    found: list[Json] = [value]
    for each in found:
        if len(found) >= most:
            break
        if isinstance(each, dict):
            found.extend(each.values())
        elif isinstance(each, list):
            found.extend(each)
    return found[:most]

"""What is recorded of a step for good, or for now, and how it is written down.

A fact is one short text, `<kind>|<field>|...`, the value of one top-level attribute. The first letter decides what a
condition may ask: `begins_with(fact, "d")` is "done". Times are epoch milliseconds.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias, assert_never


class How(StrEnum):
    """How a step was settled by a fact of its own; a skip that follows from needs is derived, never a fact."""

    SUCCEEDED = "S"
    FAILED = "F"
    SKIPPED = "X"
    """Skipped by its own `if`."""
    UNKNOWN = "U"


@dataclass(frozen=True, slots=True)
class Done:
    """Settled. `pack` names where its value, input and attempts lie (see `engine.packs`); empty when there is none."""

    how: How
    port: str
    attempt: int
    ended: int
    pack: str = ""
    order: int = -1
    """The record's `rev` before the write that recorded it, for what feeds an `at_least` group; else -1."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Leased: whoever holds `token` may run it until `expires`; `boot` numbers the server's life (0 on AWS)."""

    token: str
    expires: int
    attempt: int
    boot: int = 0


@dataclass(frozen=True, slots=True)
class Retrying:
    """Failed, and due again. Not a final fact."""

    due: int
    attempt: int
    """The attempt that failed, from 1."""
    code: str
    pack: str = ""
    """Where the attempts so far lie."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Until a moment (`timer`), or for a loop that has a record of its own (`loop`). Further kinds will follow."""

    kind: str
    due: int
    since: int


Fact: TypeAlias = Done | Claimed | Retrying | Waiting


def to_text(fact: Fact) -> str:
    """The recorded form. No field holds a `|`: tokens, codes, ports and pack names are of our own making."""
    match fact:
        case Done(how, port, attempt, ended, pack, order):
            tail = f"|{order}" if order >= 0 else ""
            return f"d|{how.value}|{port}|{attempt}|{ended}|{pack}{tail}"
        case Claimed(token, expires, attempt, boot):
            return f"c|{expires:013d}|{token}|{attempt}|{boot}"
        case Retrying(due, attempt, code, pack):
            return f"r|{due}|{attempt}|{code}|{pack}"
        case Waiting(kind, due, since):
            return f"w|{kind}|{due}|{since}"
        case _:
            assert_never(fact)


def from_text(text: str) -> Fact:
    """The fact behind a recorded text; raises ValueError where it is none of ours."""
    match text.split("|"):
        case ["d", how, port, attempt, ended, pack]:
            return Done(How(how), port, int(attempt), int(ended), pack)
        case ["d", how, port, attempt, ended, pack, order]:
            return Done(How(how), port, int(attempt), int(ended), pack, int(order))
        case ["c", expires, token, attempt, boot]:
            return Claimed(token, int(expires), int(attempt), int(boot))
        case ["r", due, attempt, code, pack]:
            return Retrying(int(due), int(attempt), code, pack)
        case ["w", kind, due, since]:
            return Waiting(kind, int(due), int(since))
        case _:
            raise ValueError(f"not a fact: {text[:40]!r}")


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@lru_cache(maxsize=65536)
def fact_name(ordinal: int, path: tuple[int, ...] = ()) -> str:
    """The attribute a step's fact goes by: `f` and the ordinal in base 36; in a loop's record also the turns."""
    digits = ""
    rest = ordinal
    while True:
        rest, digit = divmod(rest, 36)
        digits = _DIGITS[digit] + digits
        if not rest:
            break
    return f"f{digits}_{'.'.join(map(str, path))}" if path else f"f{digits}"

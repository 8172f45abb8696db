"""What is recorded of a step for good, or for now, and how it is written down.

A fact is one short text, `<kind>|<field>|...`, the value of one top-level attribute. The first letter decides what a
condition may ask: `begins_with(fact, "d")` is "done". Times are epoch milliseconds.

What is done stays in the record to its end, and is billed with every later write (design 4.2): its text is as short
as can be. It is `d<ended>|<pack>|<how>|<port>|<attempt>|#<order>`, the end in base 36, and without what is as usual: a
step that succeeded at once takes about 20 bytes. Before, it was `d|<how>|<port>|<attempt>|<ended>|<pack>`, which is
still read.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias, assert_never

MAIN_PORT = "done"
"""The way out of a step that has only one."""


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
    """Open, and nobody need hold it meanwhile.

    `timer`: until `due`. `callback` and `approval`: for a signal, at the latest until `due`; `pack` holds what was
    asked, `detail` the heartbeat in milliseconds where there is one. `call`: for another execution, `detail` is its id.
    `loop`: a loop that keeps a record of its own. `cut`: a wide `foreach`; `pack` holds its items, `detail` says how it
    was cut (see `engine.cut`). `due` is when it needs a look at the latest; 0 where nothing is due by itself.
    """

    kind: str
    due: int
    since: int
    detail: str = ""
    pack: str = ""


@dataclass(frozen=True, slots=True)
class Signalled:
    """Somebody answered what a step waits for, or will wait for. `pack` holds {"port", "value"}."""

    at: int
    pack: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A chunk of a wide `foreach`, or a whole shard of chunks, is finished; so many of its items failed."""

    failed: int
    ran: bool = True
    """False where it was not begun any more, because too many had failed before."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An execution's place in a lane: it holds it, or waits for it (`is_held` False) since `since`."""

    since: int
    is_held: bool
    epoch: int = 0
    """Of the execution: who tells of an earlier epoch's end takes no place away that a redrive has taken since."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a step was redriven after it had definitely failed.

    Under REDRIVEN, when the last redrive was; under HELD, how often a loop's record was told to pause or to go on.
    """

    number: int


Fact: TypeAlias = Done | Claimed | Retrying | Waiting | Signalled | Marked | Placed | Counted


def to_text(fact: Fact) -> str:
    """The recorded form. No field holds a `|`: tokens, codes, ports and pack names are of our own making."""
    match fact:
        case Done():
            return _done_text(fact)
        case Claimed(token, expires, attempt, boot):
            return f"c|{expires:013d}|{token}|{attempt}|{boot}"
        case Retrying(due, attempt, code, pack):
            return f"r|{due}|{attempt}|{code}|{pack}"
        case Waiting(kind, due, since, detail, pack):
            return f"w|{kind}|{due}|{since}|{detail}|{pack}" if detail or pack else f"w|{kind}|{due}|{since}"
        case Signalled(at, pack):
            return f"s|{at}|{pack}"
        case Marked(failed, ran):
            return f"m|{failed}|{int(ran)}"
        case Placed(since, is_held, epoch):
            return f"l|{since}|{int(is_held)}|{epoch}"
        case Counted(number):
            return f"n|{number}"
        case _:
            assert_never(fact)


def _done_text(done: Done) -> str:
    high, low = divmod(done.ended, _SECOND)
    ended = f"{in_base_36(high)}{_PAIRS[low]}" if high else in_base_36(low)
    usual = done.attempt == 1 and done.port == MAIN_PORT and done.how is How.SUCCEEDED
    if usual and done.order < 0:
        return f"d{ended}|{done.pack}" if done.pack else f"d{ended}"
    tail = f"|#{done.order}" if done.order >= 0 else ""
    if usual:
        return f"d{ended}|{done.pack}{tail}"
    number = f"|{done.attempt}" if done.attempt != 1 else ""
    return f"d{ended}|{done.pack}|{done.how.value}|{done.port}{number}{tail}"


def _done_in(text: str) -> Done:
    ended, *rest = text[1:].split("|")
    if not (ended.isascii() and ended.isalnum()):
        raise ValueError(f"not a fact: {text[:40]!r}")
    order = int(rest.pop()[1:]) if rest and rest[-1].startswith("#") else -1
    match rest:
        case []:
            return Done(How.SUCCEEDED, MAIN_PORT, 1, int(ended, 36), "", order)
        case [pack]:
            return Done(How.SUCCEEDED, MAIN_PORT, 1, int(ended, 36), pack, order)
        case [pack, how, port]:
            return Done(How(how), port, 1, int(ended, 36), pack, order)
        case [pack, how, port, attempt]:
            return Done(How(how), port, int(attempt), int(ended, 36), pack, order)
        case _:
            raise ValueError(f"not a fact: {text[:40]!r}")


def _natural(text: str) -> int:
    """A number that is not negative, in plain digits: one that is has no text in base 36."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"not a time: {text[:40]!r}")
    return int(text)


def from_text(text: str) -> Fact:
    """The fact behind a recorded text; raises ValueError where it is none of ours."""
    if text[:1] == "d" and text[1:2] != "|":
        return _done_in(text)
    match text.split("|"):
        case ["d", how, port, attempt, ended, pack] if not pack.startswith("#"):
            return Done(How(how), port, int(attempt), _natural(ended), pack)
        case ["d", how, port, attempt, ended, pack, order]:
            return Done(How(how), port, int(attempt), _natural(ended), pack, int(order.removeprefix("#")))
        case ["c", expires, token, attempt, boot]:
            return Claimed(token, int(expires), int(attempt), int(boot))
        case ["r", due, attempt, code, pack]:
            return Retrying(int(due), int(attempt), code, pack)
        case ["w", kind, due, since]:
            return Waiting(kind, int(due), int(since))
        case ["w", kind, due, since, detail, pack]:
            return Waiting(kind, int(due), int(since), detail, pack)
        case ["s", at, pack]:
            return Signalled(int(at), pack)
        case ["m", failed, ran]:
            return Marked(int(failed), ran == "1")
        case ["l", since, is_held, epoch]:
            return Placed(int(since), is_held == "1", int(epoch))
        case ["n", number]:
            return Counted(int(number))
        case _:
            raise ValueError(f"not a fact: {text[:40]!r}")


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SECOND = 36 * 36
"""Milliseconds that the last two digits hold: what stands before them is the same for all that ends in that time."""
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)


@lru_cache(maxsize=4096)
def in_base_36(number: int) -> str:
    """A number's shortest text, 0 to 9 and a to z."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits


FACT_LETTERS = frozenset("fSKMLXH")
"""What their names begin with: steps, their signals and redrives, marks of chunks, places in a lane, `X` and `H`."""

HELD = "H"
"""The attribute that counts how often a loop's record was paused or let go on."""

REDRIVEN = "X"
"""The attribute that says when the execution was redriven last, in epoch milliseconds."""


@lru_cache(maxsize=65536)
def fact_name(ordinal: int, path: tuple[int, ...] = ()) -> str:
    """The attribute a step's fact goes by: `f` and the ordinal in base 36; in a loop's record also the turns."""
    return _named("f", ordinal, path)


def signal_name(ordinal: int, path: tuple[int, ...] = ()) -> str:
    """The attribute of the signal that a step waits for."""
    return _named("S", ordinal, path)


def redrive_name(ordinal: int, path: tuple[int, ...] = ()) -> str:
    """The attribute that counts a step's redrives."""
    return _named("K", ordinal, path)


def wiped_name(ordinal: int) -> str:
    """The attribute, in the head, that counts how often a loop began anew by a redrive, whatever it had done."""
    return f"{_named('K', ordinal, ())}."


def mark_name(number: int) -> str:
    """The attribute of a chunk's mark in its shard, or of a shard's in the root."""
    return f"M{number}"


def place_name(execution: str) -> str:
    """The attribute of an execution's place in a lane."""
    return f"L{execution}"


def _named(letter: str, ordinal: int, path: tuple[int, ...]) -> str:
    digits = in_base_36(ordinal)
    return f"{letter}{digits}_{'.'.join(map(str, path))}" if path else f"{letter}{digits}"

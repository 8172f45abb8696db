"""The writes an execution is made of, as data. Adapters translate; the engine never sees a database.

`Commit` is the one write of the ordinary course: it can create the record, record facts, claim leases, begin or finish
the ending, all under one condition. `Cancel` is the other. `Mark`, `Pause`, `Signal`, `Redrive`, `Acquire` and
`Release` (design 4.3) join this union when their features do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from chalicelib.engine.facts import Done, Fact
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status


@dataclass(frozen=True, slots=True)
class NotDone:
    """The step has no final fact (it may be absent, claimed, retrying or waiting)."""


@dataclass(frozen=True, slots=True)
class Free:
    """Nobody holds the step: no fact, or a lease that ran out before `now`, or one of an earlier boot.

    A step that is retrying or waiting is not free: who goes on with it knows its fact and says `Exactly`.
    """


@dataclass(frozen=True, slots=True)
class Exactly:
    """The step's fact is this one, to the letter: my lease still stands, this attempt is the one on record."""

    fact: Fact


Guard: TypeAlias = NotDone | Free | Exactly


@dataclass(frozen=True, slots=True)
class Put:
    """Record this fact if the guard allows."""

    fact: Fact
    guard: Guard
    numbered: bool = False
    """Record the commit order with it: `Done.order` becomes the record's `rev` before this write."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The end: S, F, C or T. `told` is False while followers must still hear of it (the due entry stays)."""

    status: Status
    output_pack: str = ""
    told: bool = True


@dataclass(frozen=True, slots=True)
class Commit:
    """One conditional write on one record, whole or not at all.

    It holds only if: the record does not exist (`birth` or `creates` given) or exists with this `epoch`; its status is one of
    `allowed`; and every `Put` is allowed by its guard. `packs` are durable before the record names them; `inline`
    ones are stored in the record. `next_check` may only move the due entry earlier; with `finish` and nobody to tell
    it is removed. At most 100 facts.
    """

    key: RecordKey
    epoch: int
    now: int
    """Epoch milliseconds, for leases that ran out."""
    boot: int = 0
    birth: Birth | None = None
    creates: bool = False
    """Creates a loop's record, which has no birth of its own; refused where it exists."""
    puts: Mapping[str, Put] = field(default_factory=dict[str, Put])
    allowed: frozenset[Status] = frozenset({Status.RUNNING, Status.PAUSED, Status.ENDING})
    ending: Reason | None = None
    """R becomes E, for this reason (kept if the record is ending already)."""
    finish: Finish | None = None
    busy: int | None = None
    next_check: int | None = None
    inline: Mapping[str, str] = field(default_factory=dict[str, str])
    packs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Pack items by name, as text, written before (or in one transaction with) the record."""
    expires: int = 0
    """Epoch seconds when the store may forget the record; 0: not yet known."""

    def without(self, names: frozenset[str]) -> "Commit":
        """The same write without these facts."""
        return replace_puts(self, {name: put for name, put in self.puts.items() if name not in names})


def replace_puts(commit: Commit, puts: Mapping[str, Put]) -> Commit:
    """The same write with other facts."""
    from dataclasses import replace

    return replace(commit, puts=puts)


@dataclass(frozen=True, slots=True)
class Cancel:
    """R, P or Q becomes E for this reason; no epoch bump, so outcomes of running leased steps still commit.

    On a loop's record (`key.part`) that does not exist yet it creates one in E, so that no claim can follow.
    """

    key: RecordKey
    reason: Reason
    now: int
    next_check: int


Write: TypeAlias = Commit | Cancel


@dataclass(frozen=True, slots=True)
class Applied:
    """The write took place; `image` is the record after it."""

    image: Image


@dataclass(frozen=True, slots=True)
class Refused:
    """The condition did not hold; `image` is the record as it is, None where there is none."""

    image: Image | None


Answer: TypeAlias = Applied | Refused


def done_puts(puts: Mapping[str, Put]) -> Mapping[str, Done]:
    """Those of the facts that settle their step."""
    return {name: put.fact for name, put in puts.items() if isinstance(put.fact, Done)}

"""The writes an execution is made of, as data. Adapters translate; the engine never sees a database.

`Commit` is the one write of the ordinary course: it can create the record, record facts, claim leases, begin or finish
the ending, all under one condition. `Cancel` is the other. `Mark`, `Pause`, `Signal`, `Redrive`, `Acquire` and
`Release` (design 4.3) are commits of a special make: `engine.controls` makes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

from chalicelib.engine.facts import Claimed, Fact
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


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such fact at all: the first signal, the first mark counts."""


Guard: TypeAlias = NotDone | Free | Exactly | Absent


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


class Due(Enum):
    """What `next_check` does to the due entry."""

    EARLIER = "earlier"
    """It may only move earlier (design 4.7); None leaves it alone."""
    EXACTLY = "exactly"
    """It becomes this, later too, or goes where `next_check` is None: only for who names the `seen_rev`."""


MOST_FACTS = 100
"""In one write (design 4.2): DynamoDB takes 300 operators in an expression (developer guide, service quotas)."""

ANYWHERE = frozenset({Status.RUNNING, Status.PAUSED, Status.ENDING})
"""Where a fact may be recorded: a pause or an ending stops what would start, never what is running."""

RUNS = frozenset({Status.RUNNING})
"""Where an ordinary step may be claimed, and whence an execution succeeds."""

ENDS = frozenset({Status.RUNNING, Status.ENDING})
"""Whence an execution fails, is cancelled or times out."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One conditional write on one record, whole or not at all.

    It holds only if: the record does not exist (`birth` or `creates` given), or exists with this `epoch`, or either of
    the two (`upserts`); its status is one of `allowed`; its `rev` is `seen_rev` where that is given; every `Put` is
    allowed by its guard; and no inline pack has a name that is taken. `packs` are durable before the record names them;
    `inline` ones are stored in the record. `next_check` may only move the due entry earlier unless `due` says
    otherwise; with `finish` and nobody to tell it is removed. At most 100 facts put, and 100 removed: ValueError for
    more.
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
    allowed: frozenset[Status] = ANYWHERE
    """Left alone it becomes as wide as what is written may be: R for a claim and for success, R or E for another end,
    else anywhere. A claim of an `on_failure` step says `{Status.ENDING}` itself."""
    ending: Reason | None = None
    """R or P becomes E, for this reason (kept if the record is ending already)."""
    finish: Finish | None = None
    busy: int | None = None
    next_check: int | None = None
    inline: Mapping[str, str] = field(default_factory=dict[str, str])
    packs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Pack items by name, as text, written before (or in one transaction with) the record."""
    expires: int = 0
    """Epoch seconds when the store may forget the record; 0: not yet known."""
    upserts: bool = False
    """Creates the record (in R, without a birth) where it does not exist. Not for a head."""
    seen_rev: int | None = None
    """Only if the record has had exactly this many writes: nobody has written since the writer looked."""
    becomes: Status | None = None
    """The status afterwards, where neither `ending` nor `finish` says it: P, Q, R. With `birth`: it is born so."""
    removes: frozenset[str] = frozenset()
    """Facts that go; a name that is not there is no obstacle."""
    redrives: bool = False
    """The epoch goes up by one; reason, output and end are forgotten."""
    due: Due = Due.EARLIER

    def __post_init__(self) -> None:
        if len(self.puts) > MOST_FACTS or len(self.removes) > MOST_FACTS:
            most = max(len(self.puts), len(self.removes))
            raise ValueError(f"{most} facts in one write; at most {MOST_FACTS}")
        if self.allowed is ANYWHERE:
            object.__setattr__(self, "allowed", _as_wide_as(self.puts, self.finish))

    def without(self, names: frozenset[str]) -> "Commit":
        """The same write without these facts."""
        return replace(self, puts={name: put for name, put in self.puts.items() if name not in names})


def _as_wide_as(puts: Mapping[str, Put], finish: Finish | None) -> frozenset[Status]:
    claims = any(type(put.fact) is Claimed for put in puts.values())
    if claims or (finish is not None and finish.status is Status.SUCCEEDED):
        return RUNS
    return ENDS if finish is not None else ANYWHERE


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

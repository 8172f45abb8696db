"""Writes for tests of the table: chosen by hand, or by chance; and what an expression amounts to."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from chalicelib.adapters.aws.addresses import record_key
from chalicelib.adapters.aws.updates import DueEntry, expression_of
from chalicelib.engine.facts import (
    Claimed,
    Counted,
    Done,
    Fact,
    How,
    Marked,
    Placed,
    Retrying,
    Signalled,
    Waiting,
    mark_name,
    place_name,
    redrive_name,
    signal_name,
)
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.writes import (
    ANYWHERE,
    Absent,
    Cancel,
    Commit,
    Due,
    Exactly,
    Finish,
    Free,
    NotDone,
    Put,
    Write,
)
from tests.aws_place import Place, place

NOW = 1_772_366_400_000
KEY = RecordKey("main", "0" * 26)
BIRTH = Birth("orders", "a" * 64, "placed", NOW, "i0", "b" * 64)
CANCELLED = Reason(Status.CANCELLED, "", "cancelled", "by hand")
FAILED = Reason(Status.FAILED, "charge", "http_402", "declined: \u20ac, \ud800")
PARTS = ("", "items", "items/b3", "items/s0", "items/r", "lane")
"""Of the keys of every kind of record."""


def play(url: str, scene: Callable[[Place], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with place(url) as here:
            await scene(here)

    asyncio.run(whole())


def creation(**others: Any) -> Commit:
    return Commit(KEY, 0, NOW, **{"birth": BIRTH, "next_check": NOW + 60_000, **others})


def payload_of(write: Write, due: DueEntry = DueEntry.MOVES) -> dict[str, Any]:
    return expression_of(write, due, 16).to_payload(record_key(write.key), "it")


def names_of(write: Write, due: DueEntry = DueEntry.MOVES) -> list[str]:
    return [condition.name for condition in expression_of(write, due, 16).conditions]


def operators_in(condition: str) -> int:
    """As AWS counts them in its own example: connectives, comparisons and functions."""
    spaced = condition.replace("(", " ( ").replace(")", " ) ")
    for sign in (">=", "<=", "<>"):
        spaced = spaced.replace(sign, " ~ ")
    words = spaced.replace("=", " = ").replace("<", " < ").replace(">", " > ").split()
    counted = {"AND", "OR", "NOT", "IN", "BETWEEN", "=", "<", ">", "~", "begins_with", "attribute_exists"}
    return sum(word in counted or word == "attribute_not_exists" for word in words)


def same(one: Image | None, other: Image | None) -> bool:
    """Equal but for the size, which is exact here and an estimate there."""
    if one is None or other is None:
        return one is other
    return replace(one, size=0) == replace(other, size=0)


NAMES = (
    *("f0", "f1", "fa_0.1", "fzz", "X"),
    *(signal_name(0), signal_name(1, (0, 1)), redrive_name(1), mark_name(7), place_name("e" * 26)),
)

FEATURES: dict[str, Callable[[Commit], bool]] = {
    "upserts": lambda commit: commit.upserts,
    "seen rev": lambda commit: commit.seen_rev is not None,
    "becomes": lambda commit: commit.becomes is not None,
    "removes": lambda commit: bool(commit.removes),
    "redrives": lambda commit: commit.redrives,
    "due exactly": lambda commit: commit.due is Due.EXACTLY,
    "absent": lambda commit: any(put.guard == Absent() for put in commit.puts.values()),
    "numbered": lambda commit: any(put.numbered for put in commit.puts.values()),
}
"""What a commit may have beside the ordinary, by name."""


def redriven(image: Image, removes: frozenset[str], puts: Mapping[str, Put], now: int = NOW) -> Commit:
    """A redrive of what has ended badly, due again in a minute."""
    allowed = frozenset({Status.FAILED, Status.CANCELLED, Status.TIMED_OUT})
    return Commit(
        image.key, image.epoch, now, allowed=allowed, seen_rev=image.rev, removes=removes, puts=puts, redrives=True,
        becomes=Status.RUNNING, next_check=now + 60_000,
    )  # fmt: skip


class Chance:
    """Random writes on one record, many of them refused."""

    def __init__(self, seed: int, key: RecordKey) -> None:
        self.random = random.Random(seed)
        self.key = key

    def fact(self) -> Fact:
        pick = self.random
        return pick.choice(
            [
                Done(pick.choice(list(How)), "done", pick.randint(1, 2), NOW, pick.choice(["", "i1", "p1"])),
                Claimed(pick.choice("tu"), NOW + pick.choice([-5, 0, 0, 1, 1, 500]), 1),
                Retrying(NOW + 5, 1, "http_503", pick.choice(["", "p1"])),
                Waiting("timer", NOW + 5, NOW),
                Waiting("cut", 0, NOW, "9.10", "p1"),
                Signalled(NOW, "p1"),
                Marked(pick.randint(0, 2), ran=pick.random() < 0.5),
                Placed(NOW, is_held=pick.random() < 0.5),
                Counted(pick.randint(1, 2)),
            ]
        )

    def put(self, image: Image | None, name: str) -> Put:
        pick = self.random
        present = image.facts.get(name) if image else None
        exact = present if present is not None and pick.random() < 0.8 else self.fact()
        if isinstance(exact, Done) and pick.random() < 0.2:  # one that differs in its commit order alone
            exact = replace(exact, order=pick.choice([-1, 0, exact.order + 1]))
        guard = pick.choice([NotDone(), Free(), Free(), Absent(), Exactly(exact)])
        return Put(self.fact(), guard, numbered=pick.random() < 0.4)

    def write(self, image: Image | None) -> Write:
        pick = self.random
        now = NOW + pick.choice([0, 0, 1, 1, 400])
        if pick.random() < 0.05:
            return Cancel(self.key, pick.choice([CANCELLED, FAILED]), now, NOW + pick.randint(-3, 3))
        creates = image is None if pick.random() < 0.9 else image is not None
        upserts = not self.key.is_head and pick.random() < 0.3
        names = pick.sample(NAMES, pick.choice([0, 1, 1, 1, 2, 3]))
        present = sorted(image.facts) if image is not None else []
        becomes = pick.choice([*Status, Status.RUNNING, Status.RUNNING]) if pick.random() < 0.15 else None
        ending = pick.choice([FAILED, CANCELLED]) if pick.random() < 0.1 else None
        finish = None
        if pick.random() < 0.12:
            status = pick.choice([Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
            finish = Finish(status, pick.choice(["", "i1"]), told=pick.random() < 0.5)
        more: dict[str, Any] = {}
        if pick.random() < 0.3 or (image is not None and image.status not in ANYWHERE):
            more["allowed"] = frozenset(pick.sample(list(Status), 3)) | (
                {image.status} if image is not None and pick.random() < 0.7 else set()
            )
        if ending is not None and finish is None and becomes is None and "allowed" in more:
            more["allowed"] = frozenset(status for status in more["allowed"] if not status.is_terminal)
        if pick.random() < 0.2:
            more["seen_rev"] = (image.rev if image is not None else 0) + pick.choice([0, 0, 0, 1, -1])
        return Commit(
            self.key,
            (image.epoch if image is not None else 0) + (0 if pick.random() < 0.95 else 1),
            now,
            birth=replace(BIRTH, started=now) if creates and self.key.is_head else None,
            creates=creates and not self.key.is_head and not upserts,
            upserts=upserts,
            puts={name: self.put(image, name) for name in names},
            removes=frozenset(pick.sample(NAMES, 2) + present[:1]) if pick.random() < 0.2 else frozenset(),
            becomes=becomes,
            redrives=pick.random() < 0.12,
            ending=ending,
            finish=finish,
            busy=pick.choice([None, NOW + 9]),
            next_check=pick.choice([None, NOW + pick.randint(-3, 3)]),
            due=Due.EXACTLY if pick.random() < 0.25 else Due.EARLIER,
            inline={f"i{pick.randint(0, 9)}": pick.choice(["{}", "\u20ac", "\ud800"])} if pick.random() < 0.2 else {},
            **more,
        )

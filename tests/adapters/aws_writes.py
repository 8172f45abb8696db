"""Writes for tests of the table: chosen by hand, or by chance; and what an expression amounts to."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from chalicelib.adapters.aws.addresses import record_key
from chalicelib.adapters.aws.updates import DueEntry, expression_of
from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Waiting
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.writes import (
    Cancel,
    Commit,
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
            ]
        )

    def put(self, image: Image | None, name: str) -> Put:
        pick = self.random
        present = image.facts.get(name) if image else None
        exact = present if present is not None and pick.random() < 0.8 else self.fact()
        if isinstance(exact, Done) and pick.random() < 0.2:  # one that differs in its commit order alone
            exact = replace(exact, order=pick.choice([-1, 0, exact.order + 1]))
        guard = pick.choice([NotDone(), Free(), Free(), Exactly(exact)])
        return Put(self.fact(), guard, numbered=pick.random() < 0.4)

    def write(self, image: Image | None) -> Write:
        pick = self.random
        now = NOW + pick.choice([0, 0, 1, 1, 400])
        if pick.random() < 0.08:
            return Cancel(self.key, pick.choice([CANCELLED, FAILED]), now, NOW + pick.randint(-3, 3))
        creates = image is None if pick.random() < 0.9 else image is not None
        names = pick.sample(["f0", "f1", "fa_0.1", "fzz"], pick.choice([0, 1, 1, 1, 2, 3]))
        ending = pick.choice([FAILED, CANCELLED]) if pick.random() < 0.1 else None
        finish = None
        if pick.random() < 0.12:
            status = pick.choice([Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
            finish = Finish(status, pick.choice(["", "i1"]), told=pick.random() < 0.5)
        more: dict[str, Any] = {}
        if pick.random() < 0.3:
            more["allowed"] = frozenset(pick.sample(list(Status), 3)) | (
                {Status.RUNNING} if pick.random() < 0.7 else set()
            )
        if ending is not None and finish is None and "allowed" in more:
            more["allowed"] = frozenset(status for status in more["allowed"] if not status.is_terminal)
        return Commit(
            self.key,
            0 if pick.random() < 0.95 else 1,
            now,
            birth=replace(BIRTH, started=now) if creates and self.key.is_head else None,
            creates=creates and not self.key.is_head,
            puts={name: self.put(image, name) for name in names},
            ending=ending,
            finish=finish,
            busy=pick.choice([None, NOW + 9]),
            next_check=pick.choice([None, NOW + pick.randint(-3, 3)]),
            inline={f"i{pick.randint(0, 9)}": pick.choice(["{}", "\u20ac", "\ud800"])} if pick.random() < 0.2 else {},
            **more,
        )

"""What a write of the engine becomes: named conditions within DynamoDB's limits, meaning what `engine.conditions` says."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.adapters.aws.expressions import MOST_BYTES, MOST_OPERATORS
from chalicelib.adapters.aws.updates import DueEntry, expression_of
from chalicelib.adapters.aws.values import size_of
from chalicelib.engine.conditions import allows, apply
from chalicelib.engine.controls import lane_key, leave, mark
from chalicelib.engine.facts import Claimed, Counted, Done, How, Marked, Placed, fact_name, place_name, redrive_name
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.engine.writes import (
    ANYWHERE,
    Absent,
    Applied,
    Cancel,
    Commit,
    Due,
    Exactly,
    Finish,
    Free,
    NotDone,
    Put,
    Refused,
)
from chalicelib.errors import StoreError
from tests.adapters.aws_writes import (
    CANCELLED,
    FAILED,
    FEATURES,
    KEY,
    NOW,
    PARTS,
    Chance,
    creation,
    names_of,
    operators_in,
    payload_of,
    play,
    redriven,
    same,
)
from tests.aws_place import Place
from tools.aws_local.units import item_size

WALKED = ("", "items", "items/s0")
"""Heads, records that a cancel may create, and records that a first fact creates: the others are written as these."""


def test_every_part_of_a_condition_has_a_name() -> None:
    claim = Claimed("t", NOW + 9, 1)
    done = Put(Done(How.SUCCEEDED, "done", 1, NOW, "i1"), Exactly(claim))
    assert names_of(creation()) == ["absent"]
    assert names_of(Commit(KEY, 0, NOW)) == ["readable", "epoch", "status"]
    whole = Commit(KEY, 0, NOW, puts={"f0": done, "f1": Put(claim, Free())}, inline={"i1": "{}"}, next_check=NOW)
    assert names_of(whole) == ["readable", "epoch", "status", "open", "exactly", "unnamed", "due later"]
    assert names_of(whole, DueEntry.STAYS)[-1] == "due by then"
    assert names_of(Commit(KEY, 0, NOW, next_check=NOW, finish=Finish(Status.SUCCEEDED))) == names_of(
        Commit(KEY, 0, NOW)
    )
    assert names_of(Cancel(KEY, CANCELLED, NOW, NOW)) == ["cancellable", "due later"]
    assert names_of(Commit(KEY, 0, NOW, seen_rev=3, due=Due.EXACTLY)) == ["readable", "epoch", "status", "unchanged"]
    assert names_of(mark(KEY, 0, 3, Marked(0), NOW, NOW)) == ["new or readable, epoch, status", "open"]


def test_a_commit_that_is_allowed_nowhere_is_refused(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        made = await here.facts.write(creation())
        for write in (
            Commit(KEY, 0, NOW, allowed=frozenset()),
            Commit(KEY, 0, NOW, allowed=frozenset({Status.SUCCEEDED}), ending=FAILED),
        ):
            assert await here.facts.write(write) == Refused(made.image)

    play(aws_url, scene)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("due", DueEntry)
def test_the_operators_of_a_condition_are_counted_as_aws_counts_them(part: str, due: DueEntry) -> None:
    chance = Chance(7, RecordKey("main", "0" * 26, part))
    image: Image | None = None
    for _ in range(60):
        write = chance.write(image)
        conditions = expression_of(write, due, 16).conditions
        declared = sum(each.operators for each in conditions) + len(conditions) - 1
        assert operators_in(payload_of(write, due)["ConditionExpression"]) == declared
        image = apply(image, write) if allows(image, write) else image


def test_a_head_of_a_finished_linear_flow_is_small(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        done = {fact_name(n): Put(Done(How.SUCCEEDED, "done", 1, NOW + n, "i1"), NotDone()) for n in range(5)}
        finish = Finish(Status.SUCCEEDED, "i2")
        write = creation(
            puts=done, finish=finish, inline={"i0": "{}", "i1": "{}", "i2": "{}"}, busy=NOW, expires=NOW // 1000
        )
        answer = await here.facts.write(write)
        assert isinstance(answer, Applied)
        (item,) = here.items()
        assert answer.image.size == size_of(item) == item_size(item) < 600
        assert here.aws.tally.write_units == 1
        assert item["ttl"] == {"N": str(NOW // 1000)}
        assert set(item).isdisjoint({"gp", "gs"})

    play(aws_url, scene)


def test_facts_cost_few_bytes_each(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.facts.write(creation())
        before = here.items()[0]
        puts = {fact_name(n): Put(Done(How.SUCCEEDED, "done", 1, NOW, "p0"), NotDone()) for n in range(100)}
        await here.facts.write(Commit(KEY, 0, NOW, puts=puts))
        after = here.items()[0]
        assert (item_size(after) - item_size(before)) / 100 < 32

    play(aws_url, scene)


@pytest.mark.parametrize("kind", ["not done", "free", "exactly", "exactly in order", "mixed"])
def test_a_hundred_facts_of_every_guard_fit_into_one_write(aws_url: str, kind: str) -> None:
    """Also where every fact lies three loops deep, which makes the longest names."""
    claim = Claimed("t" * 26, NOW + 9_999, 1)
    done = Done(How.SUCCEEDED, "done", 1, NOW, "p" + "t" * 26)

    def put(number: int) -> tuple[Put, Put]:
        """What lies there, and what is to take its place."""
        which = ("not done", "free", "exactly")[number % 3] if kind == "mixed" else kind
        match which:
            case "not done":
                return Put(claim, Free()), Put(done, NotDone(), numbered=True)
            case "free":
                return Put(Claimed("s" * 26, NOW, 1), Free()), Put(claim, Free())
            case "exactly in order":
                return Put(done, NotDone(), numbered=True), Put(done, Exactly(replace(done, order=0)))
            case _:
                return Put(claim, Free()), Put(done, Exactly(claim), numbered=True)

    async def scene(here: Place) -> None:
        names = [fact_name(1000 + number, (number, 9999, 12345)) for number in range(100)]
        pairs = {name: put(number) for number, name in enumerate(names)}
        first = await here.facts.write(creation(puts={name: pair[0] for name, pair in pairs.items()}))
        assert isinstance(first, Applied)
        inline = {f"i{number}": "{}" for number in range(3)}
        write = Commit(
            KEY, 0, NOW + 1, puts={name: pair[1] for name, pair in pairs.items()}, allowed=frozenset({*ANYWHERE}),
            inline=inline, next_check=NOW, ending=FAILED, busy=NOW,
        )  # fmt: skip
        if kind == "exactly in order":
            with pytest.raises(StoreError, match="too much for one write"):
                await here.facts.write(write)
            return
        payload = payload_of(write)
        assert len(payload["ConditionExpression"]) <= MOST_BYTES
        assert len(payload["UpdateExpression"]) <= MOST_BYTES
        assert operators_in(payload["ConditionExpression"]) <= MOST_OPERATORS
        answer = await here.facts.write(write)
        assert isinstance(answer, Applied)
        assert same(answer.image, apply(first.image, write))

    play(aws_url, scene)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("due", DueEntry)
def test_no_path_is_written_twice_and_no_placeholder_is_left_over(part: str, due: DueEntry) -> None:
    """DynamoDB refuses both (API reference, UpdateItem, "ValidationException"); moto does not always."""
    chance = Chance(11, RecordKey("main", "0" * 26, part))
    image: Image | None = None
    for _ in range(200):
        write = chance.write(image)
        payload = payload_of(write, due)
        update: str = payload["UpdateExpression"]
        sets, _, removes = update.removeprefix("SET ").partition(" REMOVE ")
        targets = re.findall(r"(?:^|,)(#\d+)=", sets) + (removes.split(",") if removes else [])
        assert len(targets) == len(set(targets)), payload
        used = re.findall(r"[#:]\d+", f"{update} {payload['ConditionExpression']}")
        assert set(used) == {*payload["ExpressionAttributeNames"], *payload["ExpressionAttributeValues"]}
        assert "((" not in payload["ConditionExpression"]
        image = apply(image, write) if allows(image, write) else image


def test_a_redrive_of_a_hundred_facts_fits_into_one_write(aws_url: str) -> None:
    """It takes a hundred facts away, each with its commit order, counts a hundred redrives, and meets none of the limits."""

    async def scene(here: Place) -> None:
        done = Put(Done(How.FAILED, "error", 1, NOW, "p" + "t" * 26), NotDone(), numbered=True)
        steps = [(1000 + number, (number, 9999, 12345)) for number in range(100)]
        first = await here.facts.write(
            creation(puts={fact_name(*step): done for step in steps}, ending=FAILED, finish=Finish(Status.FAILED, "i1"))
        )
        assert isinstance(first, Applied)
        counts = {redrive_name(*step): Put(Counted(1), Absent()) for step in steps}
        write = redriven(first.image, frozenset(first.image.facts), counts)
        answer = await here.facts.write(write)
        assert isinstance(answer, Applied)
        assert same(answer.image, apply(first.image, write))
        (item,) = here.items()
        assert not any(name.startswith("rf") for name in item)
        assert (item["st"], item["ep"]) == ({"S": "R"}, {"N": "1"})
        assert set(item).isdisjoint({"rs", "op", "en"})

        again = {redrive_name(*step): Put(Counted(2), Exactly(Counted(1))) for step in steps}
        more = Commit(KEY, 1, NOW, puts=again, removes=frozenset(fact_name(*step) for step in steps))
        counted = await here.facts.write(more)
        assert isinstance(counted, Applied)
        assert counted.image.facts == {redrive_name(*step): Counted(2) for step in steps}

    play(aws_url, scene)


def test_a_lane_hands_on_a_hundred_places_in_one_write(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        key = lane_key("main", "a" * 26)
        names = [f"{number:026d}" for number in range(100)]
        puts = {place_name(name): Put(Placed(NOW, is_held=False), Absent()) for name in names}
        first = await here.facts.write(Commit(key, 0, NOW, creates=True, puts=puts, expires=NOW // 1000))
        assert isinstance(first, Applied)
        heirs = dict.fromkeys(names[1:], Placed(NOW, is_held=True))
        write = leave(first.image, names[0], heirs, NOW, NOW // 1000)
        answer = await here.facts.write(write)
        assert isinstance(answer, Applied)
        assert same(answer.image, apply(first.image, write))
        assert set(answer.image.facts) == {place_name(name) for name in names[1:]}

    play(aws_url, scene)


@pytest.mark.parametrize("part", WALKED)
def test_every_write_means_what_the_engine_says_it_means(
    aws_url: str, part: str, record_property: Callable[[str, object], None]
) -> None:
    met: Counter[str] = Counter()

    async def walk(here: Place, seed: int) -> None:
        key = RecordKey("main", f"{seed:026d}", part)
        chance = Chance(seed, key)
        image: Image | None = None
        for _ in range(20):
            write = chance.write(image)
            answer = await here.facts.write(write)
            expected = apply(image, write) if allows(image, write) else image
            verdict = "applied" if allows(image, write) else "refused"
            assert isinstance(answer, Applied if verdict == "applied" else Refused), (image, write, answer)
            assert same(answer.image, expected), (image, write, answer)
            met[f"{type(write).__name__} {verdict}"] += 1
            if isinstance(write, Commit):
                met.update(f"{name} {verdict}" for name, has in FEATURES.items() if has(write))
            image = answer.image
        assert await here.facts.read(key) == image

    async def scene(here: Place) -> None:
        first = 100 * WALKED.index(part)
        for start in range(first, first + 32, 8):
            await asyncio.gather(*(walk(here, seed) for seed in range(start, start + 8)))

    play(aws_url, scene)
    kinds = {"Commit", "Cancel", *FEATURES} - (set() if part else {"upserts"})
    assert all(met[f"{kind} {verdict}"] >= 4 for kind in kinds for verdict in ("applied", "refused")), met
    record_property("covered", f"table writes against the engine ({part or 'heads'}): {dict(sorted(met.items()))}")

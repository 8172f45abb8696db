"""Records in DynamoDB: the due entry, lost answers, sizes, and what is none of ours."""

import json
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.adapters.aws.addresses import due_partition, head_in, record_key
from chalicelib.adapters.aws.records import image_of
from chalicelib.adapters.aws.values import RECORD_VERSION, size_of
from chalicelib.adapters.aws.writing import LONGER_SECONDS
from chalicelib.engine.facts import Claimed, Done, How, Waiting
from chalicelib.engine.records import RecordKey, Status
from chalicelib.engine.salvage import is_recorded
from chalicelib.engine.writes import (
    Applied,
    Cancel,
    Commit,
    Exactly,
    Free,
    NotDone,
    Put,
    Refused,
)
from chalicelib.errors import CutOffError, NotFoundError, StoreError, TimedOutError
from chalicelib.ports import Http, HttpAnswer, HttpRequest
from tests.adapters.aws_writes import BIRTH, CANCELLED, FAILED, KEY, NOW, PARTS, creation, play
from tests.aws_place import Place
from tests.worker.house import House, JumpingClock
from tools.aws_local.units import item_size

# --- the due entry


def test_a_refused_move_of_the_due_entry_costs_one_write_more(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.facts.write(creation(next_check=NOW + 100))
        here.aws.tally.clear()
        earlier = await here.facts.write(Commit(KEY, 0, NOW, next_check=NOW + 50))
        assert here.aws.tally.calls == {"dynamodb.UpdateItem": 1}
        assert earlier.image is not None
        assert earlier.image.next_check == NOW + 50
        later = await here.facts.write(Commit(KEY, 0, NOW, next_check=NOW + 70, busy=NOW))
        assert isinstance(later, Applied)
        assert (later.image.next_check, later.image.busy, later.image.rev) == (NOW + 50, NOW, 3)
        assert here.aws.tally.calls == {"dynamodb.UpdateItem": 3}
        refused = await here.facts.write(Commit(KEY, 7, NOW, next_check=NOW + 70))
        assert refused == Refused(later.image)
        assert here.aws.tally.calls == {"dynamodb.UpdateItem": 4}

    play(aws_url, scene)


def test_a_due_entry_that_moves_meanwhile_is_followed(aws_url: str) -> None:
    """The sweeper moves it later between the refused write and the next: then it may move earlier after all."""

    async def scene(here: Place) -> None:
        await here.facts.write(creation(next_check=NOW + 10))
        calls = 0
        plain = here.aws.dynamodb

        async def dynamodb(action: str, payload: dict[str, Any]) -> dict[str, Any]:
            nonlocal calls
            calls += action == "UpdateItem"
            if calls == 2:
                sweep = {"TableName": here.table, "Key": record_key(KEY), "UpdateExpression": "SET gs=:g"}
                here.dynamodb.update_item(**sweep, ExpressionAttributeValues={":g": {"N": str(NOW + 900)}})
                calls += 1
            return await plain(action, payload)

        here.aws.dynamodb = dynamodb  # type: ignore[method-assign]
        answer = await here.facts.write(Commit(KEY, 0, NOW, next_check=NOW + 70))
        assert isinstance(answer, Applied)
        assert (answer.image.next_check, answer.image.rev, calls) == (NOW + 70, 2, 4)

    play(aws_url, scene)


def test_due_entries_spread_over_their_partitions() -> None:
    spread = Counter(due_partition(f"{number:026d}", 16) for number in range(1600))
    assert len(spread) == 16
    assert max(spread.values()) < 160
    assert head_in("main#E#" + "0" * 26) == KEY


def test_what_is_unfinished_is_found_across_partitions_the_earliest_first(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        keys = [RecordKey("main", f"{number:026d}") for number in range(40)]
        for number, key in enumerate(keys):
            await here.facts.write(replace(creation(next_check=NOW - number), key=key))
        found = list(await here.facts.unfinished(15))
        assert found == [(key, 0) for key in reversed(keys[-15:])]
        assert len(await here.facts.unfinished(1000)) == 40

    play(aws_url, scene)


def test_what_is_due_costs_a_query_for_each_partition_and_no_read_of_a_head(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        keys = [RecordKey("main", f"{number:026d}") for number in range(40)]
        for number, key in enumerate(keys):
            await here.facts.write(replace(creation(next_check=NOW - number), key=key))
        here.aws.tally.clear()
        assert list(await here.facts.due(NOW - 10, 15)) == list(reversed(keys[-15:]))
        assert here.aws.tally.calls == {"dynamodb.Query": 16}
        assert list(await here.facts.due(NOW - 30, 100)) == list(reversed(keys[30:]))
        assert list(await here.facts.due(NOW - 40, 100)) == []

    play(aws_url, scene)


# --- what the table forgets


@pytest.mark.parametrize("part", PARTS)
def test_every_record_and_pack_says_when_it_may_be_forgotten(aws_url: str, part: str) -> None:
    async def scene(here: Place) -> None:
        key = RecordKey("main", "0" * 26, part)
        expires = NOW // 1000 + 5
        birth = BIRTH if key.is_head else None
        more = {"packs": {"pa": "{}"}, "expires": expires, "birth": birth, "creates": not key.is_head}
        assert isinstance(await here.facts.write(Commit(key, 0, NOW, **more)), Applied)
        # A pack outlives its record: that may be redriven, and need it, until it ends once more.
        assert sorted(int(item["ttl"]["N"]) for item in here.items()) == [expires, expires + LONGER_SECONDS]
        later = await here.facts.write(Commit(key, 0, NOW, upserts=not key.is_head, expires=expires + 1))
        assert isinstance(later, Applied)
        (item,) = (item for item in here.items() if "st" in item)
        assert item["ttl"] == {"N": str(expires + 1)}

    play(aws_url, scene)


# --- unknown outcomes


class LosingHttp:
    """Carries requests out and loses some answers, or some requests."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.plan: list[str] = []

    async def send(self, request: HttpRequest) -> HttpAnswer:
        is_update = ("X-Amz-Target", "DynamoDB_20120810.UpdateItem") in request.headers
        what = self.plan.pop(0) if self.plan and is_update else ""
        if what == "lost on the way":
            raise TimedOutError
        answer = await self.http.send(request)
        if what == "lost on the way back":
            raise CutOffError
        return answer


def losing(here: Place) -> LosingHttp:
    http = here.aws._http = LosingHttp(here.aws._http)
    return http


def test_a_lost_answer_is_an_unknown_outcome_and_the_record_tells(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        http = losing(here)
        for what, error, revs in (("lost on the way", TimedOutError, 0), ("lost on the way back", CutOffError, 1)):
            key = RecordKey("main", f"{revs:026d}")
            commit = replace(creation(puts={"f0": Put(Claimed("mine", NOW + 9, 1), Free())}), key=key)
            http.plan = [what]
            with pytest.raises(error):
                await here.facts.write(commit)
            image = await here.facts.read(key)
            assert (image.rev if image else 0) == revs
            again = await here.facts.write(commit)
            assert isinstance(again, Refused if revs else Applied)
            assert again.image is not None
            assert is_recorded(commit, again.image)
            assert again.image.rev == 1

    play(aws_url, scene)


@pytest.mark.parametrize("what", ["lost on the way", "lost on the way back"])
@pytest.mark.parametrize("which", range(4))
def test_a_flow_bears_the_loss_of_any_answer(aws_url: str, what: str, which: int) -> None:
    """Three posts in a row are four writes: none is sent twice, none is forgotten, whichever answer is lost."""

    async def scene(here: Place) -> None:
        house = House(facts=here.facts)
        losing(here).plan = [""] * which + [what]
        entered = await house.enter("""
flow: posts
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b"}}
  c: {uses: http.request, after: b, with: {method: POST, url: "https://api.example/c"}}
""")
        assert entered.image is not None
        assert entered.image.status is Status.SUCCEEDED
        assert [each.url[-1] for each in house.http.sent] == ["a", "b", "c"]
        assert entered.image.rev == 4

    play(aws_url, scene)


def test_packs_that_cannot_be_stored_leave_the_record_as_it_is(aws_url: str) -> None:
    class Silent:
        async def send(self, request: HttpRequest) -> HttpAnswer:
            raise TimedOutError

    async def scene(here: Place) -> None:
        first = await here.facts.write(creation())
        http, here.aws._http = here.aws._http, Silent()
        here.aws._clock = JumpingClock()
        with pytest.raises(StoreError, match="its values could not be stored"):
            await here.facts.write(Commit(KEY, 0, NOW, packs={"pa": "{}"}))
        here.aws._http = http
        assert await here.facts.read(KEY) == first.image

    play(aws_url, scene)


# --- limits, strangers and the future


def test_a_record_that_grows_too_large_is_refused_by_name(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        first = await here.facts.write(creation())
        with pytest.raises(StoreError, match="larger than the 400 KB"):
            await here.facts.write(Commit(KEY, 0, NOW, packs={"pz": "x" * 420_000}))
        assert await here.facts.read(KEY) == first.image
        with pytest.raises(StoreError, match="larger than the 400 KB"):
            await here.facts.write(Commit(KEY, 0, NOW, inline={"i1": "x" * 420_000}))
        image = await here.facts.read(KEY)
        assert image is not None
        assert image.inline == {}  # moto counts `rev` all the same

    play(aws_url, scene)


def test_a_record_of_a_later_version_is_neither_read_nor_written(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.facts.write(creation(packs={"pa": "{}"}))
        for key in (record_key(KEY), {**record_key(KEY), "sk": {"S": "O#pa"}}):
            here.dynamodb.update_item(
                TableName=here.table, Key=key, UpdateExpression="SET v=:v", ExpressionAttributeValues={":v": {"N": "2"}}
            )
        before = here.items()
        told = rf"execution {KEY.execution} is of record version 2; this Penstock reads {RECORD_VERSION}"
        for attempt in (
            lambda: here.facts.read(KEY),
            lambda: here.facts.pack(KEY, "pa"),
            lambda: here.facts.write(Commit(KEY, 0, NOW, busy=NOW)),
            lambda: here.facts.write(creation()),
            lambda: here.facts.write(Cancel(KEY, CANCELLED, NOW, NOW)),
        ):
            with pytest.raises(StoreError, match=told):
                await attempt()
        assert here.items() == before

    play(aws_url, scene)


def test_facts_from_before_they_were_short_are_read_and_stand(aws_url: str) -> None:
    """An execution survives an upgrade: what is done stays done, and a lease and a wait go on from where they were."""

    async def scene(here: Place) -> None:
        await here.facts.write(creation())
        old = {
            "f0": f"d|S|done|1|{NOW}|pabc",
            "f1": f"d|F|error|2|{NOW}|pabc|#",
            "f2": f"c|{NOW + 9:013d}|token|1|0",
            "f3": f"w|timer|{NOW}|{NOW - 5}",
        }
        here.dynamodb.update_item(
            TableName=here.table,
            Key=record_key(KEY),
            UpdateExpression="SET f0=:0, f1=:1, f2=:2, f3=:3, rf1=:r",
            ExpressionAttributeValues={
                ":r": {"N": "7"},
                **{f":{name[1]}": {"S": text} for name, text in old.items()},
            },
        )
        image = await here.facts.read(KEY)
        assert image is not None
        claimed, waits = Claimed("token", NOW + 9, 1), Waiting("timer", NOW, NOW - 5)
        assert image.facts == {
            "f0": Done(How.SUCCEEDED, "done", 1, NOW, "pabc"),
            "f1": Done(How.FAILED, "error", 2, NOW, "pabc", 7),
            "f2": claimed,
            "f3": waits,
        }
        done = Done(How.SUCCEEDED, "done", 1, NOW + 1, "i1")
        for name in ("f0", "f1"):
            assert isinstance(await here.facts.write(Commit(KEY, 0, NOW, puts={name: Put(done, NotDone())})), Refused)
        assert isinstance(await here.facts.write(Commit(KEY, 0, NOW, puts={"f2": Put(done, Free())})), Refused)
        puts = {"f2": Put(done, Exactly(claimed)), "f3": Put(done, Exactly(waits))}
        assert isinstance(await here.facts.write(Commit(KEY, 0, NOW, puts=puts)), Applied)
        assert isinstance(await here.facts.write(Commit(KEY, 0, NOW, puts={"f3": Put(done, NotDone())})), Refused)

    play(aws_url, scene)


def test_a_birth_that_says_nothing_new_is_stored_as_ever(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.facts.write(creation())
        (item,) = here.items()
        assert json.loads(item["b"]["S"]) == ["i0", "b" * 64, 0, "", "", 0]
        assert "bx" not in item
        image = await here.facts.read(KEY)
        assert image is not None
        assert image.birth == BIRTH
        deep = RecordKey("main", "1" * 26)
        await here.facts.write(replace(creation(birth=replace(BIRTH, depth=3)), key=deep))
        image = await here.facts.read(deep)
        assert image is not None
        assert image.birth == replace(BIRTH, depth=3)

    play(aws_url, scene)


@pytest.mark.parametrize(
    "damage", [{"st": {"S": "?"}}, {"f0": {"S": "nonsense"}}, {"b": {"S": "[]"}}, {"rev": {"S": "x"}}]
)
def test_a_record_that_is_none_of_ours_is_a_named_error(damage: dict[str, Any]) -> None:
    item = {"v": {"N": "1"}, "st": {"S": "R"}, "ep": {"N": "0"}, "rev": {"N": "1"}}
    assert image_of(KEY, item).status is Status.RUNNING
    with pytest.raises(StoreError, match=f"execution {KEY.execution} is not readable"):
        image_of(KEY, {**item, "vh": {"S": "x"}, **damage})


@pytest.mark.parametrize("name", ["", "x" * 5000, "\u20ac", "\ud800"])
def test_what_cannot_be_stored_is_not_there(aws_url: str, name: str) -> None:
    async def scene(here: Place) -> None:
        assert await here.facts.read(RecordKey("main", name)) is None
        assert await here.facts.read(RecordKey(name, "x")) is None
        assert (await here.facts.read(RecordKey("main", "x", name or "no part")), name) == (None, name)
        with pytest.raises(NotFoundError):
            await here.facts.pack(RecordKey("main", "x", name or "no part"), "pa")
        assert here.aws.tally.calls == {}

    play(aws_url, scene)


def test_texts_with_lone_surrogates_come_back(aws_url: str) -> None:
    text = '{"a":"\ud800 \u20ac \udfff"}'

    async def scene(here: Place) -> None:
        birth = replace(BIRTH, input_hash="\udc00", retry_of="\u20ac")
        made = await here.facts.write(creation(birth=birth, inline={"i0": text}, packs={"pa": text}, ending=FAILED))
        image = await here.facts.read(KEY)
        assert image is not None
        assert (image, image.birth, image.inline, image.reason) == (made.image, birth, {"i0": text}, FAILED)
        assert await here.facts.pack(KEY, "pa") == text
        (head,) = (item for item in here.items() if item["sk"]["S"] == "H")
        sizes = {name: value for name, value in head.items() if "B" not in value}
        assert size_of(sizes) == item_size(sizes)

    play(aws_url, scene)


@pytest.mark.parametrize("number", [0, 1, 10, 99, 100, 12_300, NOW, 10**15])
def test_the_size_of_a_number_is_the_bills(number: int) -> None:
    item = {"n": {"N": str(number)}, "s": {"S": "\u20ac"}, "b": {"BOOL": True}}
    assert size_of(item) == item_size(item)
    assert size_of({"n": {"N": str(number)}}) >= 1 + math.ceil(len(str(number).strip("0")) / 2)

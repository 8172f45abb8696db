"""Flow versions in DynamoDB: long texts, lost answers, strangers; and that nothing is scanned."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from chalicelib.errors import CutOffError, NotFoundError, StoreError, TimedOutError
from chalicelib.ports import HttpAnswer, HttpRequest, Live
from tests.aws_place import Place, place

NOW = 1_772_366_400_000
LIVE = Live("main", "orders", "a" * 64, enabled=True, published=NOW, rev=1, tokens={"open": "tok"})


def play(url: str, scene: Callable[[Place], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with place(url) as here:
            await scene(here)

    asyncio.run(whole())


@pytest.mark.parametrize("text", ["x" * 300_000, "x" * 300_001, "\u20ac" * 100_001, "\ud800" * 150_000])
def test_a_text_of_any_length_comes_back(aws_url: str, text: str) -> None:
    async def scene(here: Place) -> None:
        await here.versions.put("main", "orders", "a" * 64, text, NOW)
        assert await here.versions.text("main", "orders", "a" * 64) == text
        (item,) = here.items()
        assert ("lies" in item) == (len(text.encode("utf-8", "surrogatepass")) > 300_000)
        assert "s3.PutObject" not in here.aws.tally.calls or "lies" in item

    play(aws_url, scene)


def test_a_history_reads_no_texts_and_scans_nothing(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        for number in range(12):
            await here.versions.put("main", "orders", f"{number:064d}", "x" * 200_000, NOW + number)
        history = await here.versions.history("main", "orders")
        assert [each.stored - NOW for each in history] == list(range(11, -1, -1))
        assert len(await here.versions.flows("main")) == 0
        assert "dynamodb.Scan" not in here.aws.tally.calls

    play(aws_url, scene)


def test_more_flows_than_one_call_takes_are_all_listed(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        for number in range(103):
            await here.versions.set_live(replace(LIVE, flow=f"flow{number:03d}"))
        found = await here.versions.flows("main")
        assert [live.flow for live in found] == [f"flow{number:03d}" for number in range(103)]
        assert here.aws.tally.calls["dynamodb.BatchGetItem"] == 2

    play(aws_url, scene)


def test_publishing_again_keeps_the_day_of_the_first_time(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.versions.set_live(LIVE)
        assert not await here.versions.set_live(replace(LIVE, published=NOW + 5))
        assert await here.versions.set_live(replace(LIVE, published=NOW + 9, rev=2))
        (entry,) = (item for item in here.items() if item["pk"]["S"] == "main#FLOWS")
        assert entry["published"] == {"N": str(NOW)}

    play(aws_url, scene)


def test_a_pointer_that_says_nothing_new_is_stored_as_ever(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.versions.set_live(LIVE)
        (item,) = (item for item in here.items() if item["sk"]["S"] == "LIVE")
        assert set(item) == {"pk", "sk", "v", "version", "enabled", "published", "rev", "tokens"}
        assert await here.versions.live("main", "orders") == LIVE

    play(aws_url, scene)


class LosesOneAnswer:
    """Of a PutItem: on its way there or back."""

    def __init__(self, here: Place, error: type[Exception], *, arrives: bool) -> None:
        self.http = here.aws._http
        self.error: type[Exception] | None = error
        self.arrives = arrives
        here.aws._http = self

    async def send(self, request: HttpRequest) -> HttpAnswer:
        if self.error is None or ("X-Amz-Target", "DynamoDB_20120810.PutItem") not in request.headers:
            return await self.http.send(request)
        error, self.error = self.error, None
        if self.arrives:
            await self.http.send(request)
        raise error()


def test_a_pointer_whose_answer_was_lost_is_looked_at(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        LosesOneAnswer(here, CutOffError, arrives=True)
        assert await here.versions.set_live(LIVE)
        LosesOneAnswer(here, TimedOutError, arrives=False)
        with pytest.raises(TimedOutError):
            await here.versions.set_live(replace(LIVE, rev=2))
        assert await here.versions.live("main", "orders") == LIVE
        LosesOneAnswer(here, CutOffError, arrives=True)
        with pytest.raises(CutOffError):
            await here.versions.put("main", "orders", "a" * 64, "{}", NOW)
        await here.versions.put("main", "orders", "a" * 64, "{}", NOW)
        assert await here.versions.text("main", "orders", "a" * 64) == "{}"

    play(aws_url, scene)


def test_records_of_a_later_version_are_refused_by_name(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.versions.set_live(LIVE)
        await here.versions.put("main", "orders", "a" * 64, "{}", NOW)
        for sort in ("LIVE", f"V#{'a' * 64}"):
            here.dynamodb.update_item(
                TableName=here.table,
                Key={"pk": {"S": "main#F#orders"}, "sk": {"S": sort}},
                UpdateExpression="SET v=:v",
                ExpressionAttributeValues={":v": {"N": "2"}},
            )
        for attempt in (
            lambda: here.versions.live("main", "orders"),
            lambda: here.versions.text("main", "orders", "a" * 64),
            lambda: here.versions.flows("main"),
        ):
            with pytest.raises(StoreError, match="of record version 2; this Penstock reads 1"):
                await attempt()
        assert not await here.versions.set_live(replace(LIVE, rev=2))

    play(aws_url, scene)


@pytest.mark.parametrize("name", ["", "x" * 5000, "\u20ac", "a#b", "\ud800"])
def test_a_name_that_nothing_can_have_is_not_there(aws_url: str, name: str) -> None:
    async def scene(here: Place) -> None:
        assert await here.versions.live("main", name) is None
        assert await here.versions.live(name, "orders") is None
        assert list(await here.versions.history("main", name)) == []
        assert list(await here.versions.flows(name)) == []
        with pytest.raises(NotFoundError):
            await here.versions.text("main", name, "a" * 64)

    play(aws_url, scene)

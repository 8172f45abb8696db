"""Messages through SQS: limits, batches, and what a queue says when it takes only some of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.adapters.aws.client import Aws, Endpoints
from chalicelib.adapters.aws.queue import LARGEST_MESSAGE, AwsQueue, message_in
from chalicelib.adapters.http import client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.engine.messages import Go, Message, Resume, Send, Start
from chalicelib.engine.records import Birth
from chalicelib.errors import StoreError
from chalicelib.ports import Received
from tests.aws_place import KEYS, Place, place
from tests.aws_server import REGION
from tests.stub import Answer, Stub

NOW = 1_772_366_400_000
BIRTH = Birth("orders", "a" * 64, "placed", NOW, "", "b" * 64)


def go(name: str, *steps: str) -> Go:
    return Go("main", name, 0, steps or ("a",))


def play(url: str, scene: Callable[[Place], Awaitable[None]], **options: Any) -> None:
    async def whole() -> None:
        async with place(url, **options) as here:
            await scene(here)

    asyncio.run(whole())


class Clock:
    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def play_stub(answers: list[Answer], scene: Callable[[Stub, AwsQueue, Clock], Awaitable[None]]) -> None:
    """A queue that answers as it is told."""

    async def whole() -> None:
        async with Stub() as stub:
            stub.answer("/", *answers)
            endpoints = Endpoints(every=stub.url)
            http = client_for_engine(EgressPolicy.for_engine(endpoints.named()))
            clock = Clock()
            aws = Aws(http, KEYS, REGION, endpoints, clock, jitter=lambda: 0.0)
            try:
                await scene(stub, AwsQueue(aws, f"{stub.url}/q", MemoryBlobs(), clock), clock)
            finally:
                await http.close()

    asyncio.run(whole())


def taken(ids: list[str], *failed: str, fault: bool = False) -> Answer:
    """An answer of SendMessageBatch or DeleteMessageBatch."""
    body = {
        "Successful": [{"Id": each} for each in ids],
        "Failed": [{"Id": each, "Code": "InternalError", "Message": "later", "SenderFault": fault} for each in failed],
    }
    return Answer(body=json.dumps(body).encode(), headers=(("Content-Type", "application/x-amz-json-1.0"),))


async def receive_all(here: Place) -> list[Received]:
    found: list[Received] = []
    while received := await here.queue.receive(10, 0):
        await here.queue.acknowledge(received)
        found.extend(received)
    return found


def test_one_message_is_one_call_and_many_go_ten_at_a_time(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.queue.send([Send(go("one"))])
        assert here.aws.tally.calls == {"sqs.SendMessage": 1}
        here.aws.tally.clear()
        await here.queue.send([Send(go(f"e{number}")) for number in range(23)])
        assert here.aws.tally.calls == {"sqs.SendMessageBatch": 3}
        assert len(await receive_all(here)) == 24

    play(aws_url, scene)


def test_batches_keep_to_the_bytes_a_batch_takes(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        starts = [Start("main", f"e{number}", BIRTH, NOW, "x" * 400_000) for number in range(5)]
        await here.queue.send([Send(start) for start in starts])
        assert here.aws.tally.calls == {"sqs.SendMessageBatch": 3}
        assert {each.message for each in await receive_all(here)} == set(starts)

    play(aws_url, scene)


@pytest.mark.parametrize("text", ["x" * LARGEST_MESSAGE, "\u20ac" * 190_000, "\U0001f600\ud800" * 60_000])
def test_an_input_that_is_too_large_lies_in_a_blob(aws_url: str, text: str) -> None:
    async def scene(here: Place) -> None:
        await here.queue.send([Send(Start("main", "e1", BIRTH, NOW, text)), Send(go("e2"))])
        by_name = {each.message.execution: each.message for each in await receive_all(here) if each.message}
        start = by_name["e1"]
        assert isinstance(start, Start)
        assert (start.input, start.birth.input_pack[0]) == ("", "b")
        assert (await here.blobs.get(start.birth.input_pack[1:])).decode("utf-8", "surrogatepass") == text

    play(aws_url, scene)


def test_what_fits_to_the_byte_is_sent_as_it_is(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        room = LARGEST_MESSAGE - len(json.dumps(_as_json(Start("main", "e1", BIRTH, NOW, "")), separators=(",", ":")))
        await here.queue.send([Send(Start("main", "e1", BIRTH, NOW, "x" * room))])
        (received,) = await receive_all(here)
        assert received.message == Start("main", "e1", BIRTH, NOW, "x" * room)
        with pytest.raises(StoreError, match="the queue takes 1048576"):
            await here.queue.send([Send(go("e2", *["s" * 40] * 30_000))])

    play(aws_url, scene)


def _as_json(message: Message) -> Any:
    from chalicelib.engine.messages import to_json

    return to_json(message)


@pytest.mark.parametrize("text", ["\x00\x1f\ufffe\uffff", "\ud800 \udfff", "\U0001f600 \u20ac"])
def test_characters_that_sqs_refuses_come_through(aws_url: str, text: str) -> None:
    async def scene(here: Place) -> None:
        start = Start("main", "e1", BIRTH, NOW, text)
        await here.queue.send([Send(start)])
        (received,) = await receive_all(here)
        assert received.message == start
        (raw,) = [json.dumps(_as_json(start))]
        assert message_in(raw) == start

    play(aws_url, scene)


def test_what_is_none_of_ours_is_handed_over_as_it_came(aws_url: str) -> None:
    from tests.aws_server import boto

    async def scene(here: Place) -> None:
        sqs = boto(here.url, "sqs")
        for body in ("hello", '{"v":2,"kind":"go"}', "[1"):
            sqs.send_message(QueueUrl=here.queue_url, MessageBody=body)
        received = [await here.queue.receive(1, 0) for _ in range(3)]
        assert sorted((each[0].message, each[0].body) for each in received) == [
            (None, "[1"),
            (None, "hello"),
            (None, '{"v":2,"kind":"go"}'),
        ]

    play(aws_url, scene)


def test_a_delivery_that_is_over_needs_no_failing(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await here.queue.send([Send(Resume("main", "e1", 0))])
        (received,) = await here.queue.receive(1, 0)
        await here.queue.acknowledge([received])
        await here.queue.fail(received, 5)
        assert await here.queue.receive(1, 0) == []

    play(aws_url, scene)


def test_entries_that_failed_are_sent_again_alone() -> None:
    async def scene(stub: Stub, queue: AwsQueue, clock: Clock) -> None:
        await queue.send([Send(go(f"e{number}")) for number in range(3)])
        assert [[each["Id"] for each in seen.json()["Entries"]] for seen in stub.requests] == [["0", "1", "2"], ["1"]]
        assert len(clock.slept) == 1

    play_stub([taken(["0", "2"], "1"), taken(["1"])], scene)


def test_entries_that_keep_failing_are_counted() -> None:
    async def scene(stub: Stub, queue: AwsQueue, clock: Clock) -> None:
        with pytest.raises(StoreError, match="2 of 4 messages are not in the queue: InternalError later"):
            await queue.send([Send(go(f"e{number}")) for number in range(4)])
        assert len(stub.requests) == 3

    play_stub([taken(["0", "3"], "1", "2")], scene)


def test_the_senders_fault_is_not_sent_again() -> None:
    async def scene(stub: Stub, queue: AwsQueue, clock: Clock) -> None:
        with pytest.raises(StoreError, match="1 of 2 messages are not in the queue"):
            await queue.send([Send(go("e0")), Send(go("e1"))])
        assert (len(stub.requests), clock.slept) == (1, [])

    play_stub([taken(["0"], "1", fault=True)], scene)


def test_a_queue_that_does_not_answer_is_named_with_the_count() -> None:
    async def scene(stub: Stub, queue: AwsQueue, clock: Clock) -> None:
        with pytest.raises(StoreError, match="1 of 1 messages is not in the queue, or not for sure"):
            await queue.send([Send(go("e0"))])
        with pytest.raises(StoreError, match="12 of 12 messages are not in the queue"):
            await queue.send([Send(go(f"e{number}")) for number in range(12)])

    play_stub([Answer(500)], scene)


def test_what_could_not_be_acknowledged_is_counted() -> None:
    async def scene(stub: Stub, queue: AwsQueue, clock: Clock) -> None:
        deliveries = [Received(f"h{number}", 1, go("e"), "") for number in range(3)]
        with pytest.raises(StoreError, match="1 of 3 messages could not be acknowledged: InternalError"):
            await queue.acknowledge(deliveries)

    play_stub([taken(["0", "1"], "2")], scene)


@pytest.mark.parametrize(("wait", "asked"), [(0, 0), (0.2, 1), (3, 3), (60, 20)])
def test_a_wait_is_whole_seconds_and_at_most_twenty(wait: float, asked: int) -> None:
    async def scene(stub: Stub, queue: AwsQueue, clock: Clock) -> None:
        assert await queue.receive(25, wait) == []
        said = stub.requests[0].json()
        assert (said["WaitTimeSeconds"], said["MaxNumberOfMessages"]) == (asked, 10)

    play_stub([Answer(body=b"{}")], scene)

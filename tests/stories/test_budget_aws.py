"""What an execution costs on AWS (design 7), counted in calls and write units: nothing here measures time.

The front door as a Lambda function has it (no work after the answer), on the AWS adapters, against a local AWS that
bills as DynamoDB does.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chalicelib.adapters.aws.values import size_of
from chalicelib.engine.records import RecordKey, Status
from chalicelib.flow.plan import Plan
from chalicelib.ports import Entered, Knock, Received
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Ends
from chalicelib.worker.plans import RememberedPlans
from tests.aws_place import Place, place
from tests.worker.house import House

FIVE = """
flow: five
steps:
  a: {uses: set, with: {n: 1}}
  b: {uses: http.request, with: {url: "https://api.example/b", query: {n: "${ steps.a.n }"}}}
  c: {uses: set, with: {path: "${ steps.b.body.path }"}}
  d: {uses: http.request, with: {url: "https://api.example${ steps.c.path }"}}
  e: {uses: set, with: {path: "${ steps.d.body.path }"}}
output: "${ steps.e.path }"
"""
DIAMOND = """
flow: diamond
steps:
  top: {uses: set, with: {n: 1}}
  left: {uses: http.request, with: {url: "https://api.example/left", query: {n: "${ steps.top.n }"}}}
  right: {uses: http.request, with: {url: "https://api.example/right", query: {n: "${ steps.top.n }"}}}
  both: {uses: set, with: {paths: ["${ steps.left.body.path }", "${ steps.right.body.path }"]}}
output: "${ steps.both.paths }"
"""
POSTS = """
flow: posts
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b"}}
  c: {uses: http.request, after: b, with: {method: POST, url: "https://api.example/c"}}
"""
APART = """
flow: apart
steps:
  top: {uses: set, with: {n: 1}}
  left: {uses: http.request, run: apart, after: top, with: {url: "https://api.example/left"}}
  right: {uses: http.request, run: apart, after: top, with: {url: "https://api.example/right"}}
  both: {uses: set, with: {paths: ["${ steps.left.body.path }", "${ steps.right.body.path }"]}}
output: "${ steps.both.paths }"
"""
BIG = """
flow: big
steps:
  much: {uses: http.request, with: {url: "https://api.example/much"}}
output: "${ steps.much.body.text }"
"""


class Cloud:
    """A worker on AWS adapters, as warm as it will ever be once `warm` has published and entered a flow."""

    def __init__(self, here: Place) -> None:
        self.here = here
        self.house = House(facts=here.facts)
        self.house.versions = here.versions  # type: ignore[assignment]
        self.house.queue = here.queue  # type: ignore[assignment]
        plans = RememberedPlans(here.versions, self.house.entries, self.house.clock)
        tools = replace(self.house.tools, queue=here.queue, blobs=here.blobs, plans=plans)
        self.house.tools = tools
        self.plans = plans
        self.door = self.house.door = FrontDoor(tools, Ends())

    async def warm(self, text: str) -> Plan:
        plan = await self.house.publish(text)
        await self.knock(plan, key="warm")
        return plan

    async def knock(self, plan: Plan, respond: str = "result", **more: Any) -> Entered:
        """The pointer and the version, as the API asks for them, then the door."""
        live = await self.plans.live("main", plan.flow)
        assert live is not None
        plan = await self.plans.plan("main", plan.flow, live.version)
        now = to_milliseconds(self.house.clock.now())
        entered = await self.door.enter(Knock("main", plan, None, None, {}, respond, now, **more))
        assert isinstance(entered, Entered)
        return entered

    async def deliver(self, received: Received) -> None:
        """Work one message off, as the queue listener does."""
        assert received.message is not None
        budget = Budget(to_milliseconds(self.house.clock.now()) + 840_000)
        verdict = await deliver(self.house.tools, received.message, budget, is_first=received.count == 1)
        if isinstance(verdict, Acknowledge):
            await self.here.queue.acknowledge([received])
        else:
            await self.here.queue.fail(received, 0)

    def count(self) -> None:
        """Count from here on."""
        self.here.aws.tally.clear()

    @property
    def calls(self) -> dict[str, int]:
        return dict(self.here.aws.tally.calls)

    @property
    def units(self) -> float:
        return self.here.aws.tally.write_units

    @property
    def index_units(self) -> dict[str, float]:
        return dict(self.here.aws.tally.index_units)

    def item(self, execution: str) -> dict[str, Any]:
        key = {"pk": {"S": f"main#E#{execution}"}, "sk": {"S": "H"}}
        return self.here.dynamodb.get_item(TableName=self.here.table, Key=key)["Item"]


def play(url: str, scene: Callable[[Cloud], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with place(url) as here:
            await scene(Cloud(here))

    asyncio.run(whole())


def units_for(size: int) -> int:
    """Write units of an item of this many bytes."""
    return -(-size // 1024)


def test_five_reads_and_pure_steps_cost_one_write_and_nothing_else(aws_url: str) -> None:
    async def scene(cloud: Cloud) -> None:
        plan = await cloud.warm(FIVE)
        cloud.count()
        entered = await cloud.knock(plan)
        assert entered.output == "/b"
        assert entered.image is not None
        assert entered.image.status is Status.SUCCEEDED
        assert cloud.calls == {"dynamodb.UpdateItem": 1}
        item = cloud.item(entered.execution)
        assert cloud.units == units_for(size_of(item)) == 2
        assert cloud.here.aws.tally.read_units == 0
        assert cloud.index_units == {"list": 1}
        assert "gs" not in item

    play(aws_url, scene)


def test_a_delivery_key_costs_one_write_more(aws_url: str) -> None:
    async def scene(cloud: Cloud) -> None:
        plan = await cloud.warm(FIVE)
        cloud.count()
        entered = await cloud.knock(plan, key="delivery-1")
        assert entered.output == "/b"
        assert cloud.calls == {"dynamodb.UpdateItem": 2}
        assert cloud.units == 1 + units_for(size_of(cloud.item(entered.execution)))
        assert cloud.here.aws.tally.read_units == 0
        # Once into each index, then out of `due` and anew in `list`.
        assert cloud.index_units == {"due": 2, "list": 2}

    play(aws_url, scene)


def test_the_same_delivery_again_costs_one_refused_write(aws_url: str) -> None:
    async def scene(cloud: Cloud) -> None:
        plan = await cloud.warm(FIVE)
        first = await cloud.knock(plan, key="delivery-1")
        cloud.house.clock.time += timedelta(seconds=1)
        cloud.count()
        again = await cloud.knock(plan, key="delivery-1")
        assert (again.execution, again.is_new, again.output) == (first.execution, False, "/b")
        assert cloud.calls == {"dynamodb.UpdateItem": 1}

    play(aws_url, scene)


def test_a_diamond_of_reads_costs_one_write(aws_url: str) -> None:
    async def scene(cloud: Cloud) -> None:
        plan = await cloud.warm(DIAMOND)
        cloud.count()
        entered = await cloud.knock(plan)
        assert entered.output == ["/left", "/right"]
        assert cloud.calls == {"dynamodb.UpdateItem": 1}
        assert cloud.units == units_for(size_of(cloud.item(entered.execution)))

    play(aws_url, scene)


def test_accepting_costs_one_message(aws_url: str) -> None:
    async def scene(cloud: Cloud) -> None:
        plan = await cloud.warm(FIVE)
        cloud.count()
        entered = await cloud.knock(plan, "accepted")
        assert cloud.calls == {"sqs.SendMessage": 1}
        assert await cloud.here.facts.read(RecordKey("main", entered.execution)) is None
        cloud.count()
        (received,) = await cloud.here.queue.receive(1, 5)
        await cloud.deliver(received)
        assert cloud.calls == {"sqs.ReceiveMessage": 1, "dynamodb.UpdateItem": 1, "sqs.DeleteMessageBatch": 1}
        image = await cloud.here.facts.read(RecordKey("main", entered.execution))
        assert image is not None
        assert image.status is Status.SUCCEEDED

    play(aws_url, scene)


def test_leased_steps_in_a_row_cost_one_write_more_than_there_are(aws_url: str) -> None:
    async def scene(cloud: Cloud) -> None:
        plan = await cloud.warm(POSTS)
        cloud.count()
        entered = await cloud.knock(plan)
        assert entered.image is not None
        assert entered.image.status is Status.SUCCEEDED
        assert {name: count for name, count in cloud.calls.items() if "UpdateItem" in name} == {
            "dynamodb.UpdateItem": 4
        }
        assert cloud.here.aws.tally.read_units == 0

    play(aws_url, scene)


def test_steps_that_run_apart_are_sent_together_and_joined_once(aws_url: str) -> None:
    async def scene(cloud: Cloud) -> None:
        plan = await cloud.warm(DIAMOND)
        plan = await cloud.house.publish(APART)
        cloud.house.clock.time += timedelta(seconds=60)
        cloud.count()
        entered = await cloud.knock(plan, wait_seconds=0)
        assert cloud.calls["sqs.SendMessageBatch"] == 1
        while received := await cloud.here.queue.receive(1, 0):
            await cloud.deliver(received[0])
        details = await cloud.house.details(entered.execution)
        assert (details.image.status, details.output) == (Status.SUCCEEDED, ["/left", "/right"])
        assert sorted(each.url for each in cloud.house.http.sent[-2:]) == [
            "https://api.example/left",
            "https://api.example/right",
        ]

    play(aws_url, scene)


def test_what_is_larger_than_an_item_takes_lies_in_the_bucket(aws_url: str) -> None:
    async def scene(cloud: Cloud) -> None:
        text = "\u20ac" * 300_000
        cloud.house.http.answers["/much"] = {"text": text}
        plan = await cloud.house.publish(BIG)
        cloud.count()
        entered = await cloud.knock(plan)
        assert entered.output == text
        assert cloud.calls["dynamodb.UpdateItem"] == 1
        assert cloud.units == 1
        assert cloud.calls["s3.PutObject"] == 2
        details = await cloud.house.details(entered.execution)
        assert details.output == text
        (step,) = details.steps
        assert isinstance(step.output, dict)
        assert json.dumps(step.output).count("\\u20ac") == 300_000

    play(aws_url, scene)

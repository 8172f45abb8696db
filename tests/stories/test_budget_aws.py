"""What an execution costs on AWS (design 7), counted in calls and write units: nothing here measures time.

The front door as a Lambda function has it (no work after the answer), on the AWS adapters, against a local AWS that
bills as DynamoDB does.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Container
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chalicelib.adapters.aws.values import size_of
from chalicelib.engine.records import RecordKey, Status
from chalicelib.flow.plan import Effect, Plan
from chalicelib.ports import Entered, Knock, Received
from chalicelib.wiring_aws import WAIT_SECONDS
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Ends
from chalicelib.worker.listener import work_batch
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


FAN = """
flow: fan
steps:
  each:
    uses: foreach
    with: {over: "${ [1..100] }", concurrency: 100}
    steps:
      ask: {uses: http.request, timeout: 30s, with: {method: %s, url: "https://api.example/ask", query: {n: "${ item }"}}}
    output: "${ item * 2 }"
output: "${ steps.each.results }"
"""


def thirty(reads: Container[int]) -> str:
    """Thirty steps in a row, twelve of them POSTs spread evenly; those numbered in `reads` read, the others compute."""
    lines = ["flow: thirty", "steps:"]
    for n in range(30):
        after = f"after: s{n - 1}, " if n else ""
        if (n + 1) * 12 // 30 > n * 12 // 30:
            given = f'method: POST, url: "https://api.example/s{n}", json: {{id: "${{ steps.s{n - 1}.body.id }}"}}'
            lines.append(f"  s{n}: {{uses: http.request, effect: at_least_once, {after}with: {{{given}}}}}")
        elif n in reads:
            lines.append(f'  s{n}: {{uses: http.request, {after}with: {{url: "https://api.example/s{n}"}}}}')
        else:
            before = f"steps.s{n - 1}"
            text = f'{{id: {n}, text: "${{ {before}.body.text }}"}}'
            given = f'status: 200, headers: "${{ {before}.headers }}", body: {text}'
            lines.append(f"  s{n}: {{uses: set, {after}with: {{{given}}}}}")
    return "\n".join(lines)


def half_a_kilobyte(n: int) -> dict[str, Any]:
    """A body that makes the value of an HTTP step half a KB of JSON."""
    value = {"status": 200, "headers": {"content-type": "application/json"}, "body": {"id": n, "text": ""}}
    room = 510 - len(json.dumps(value, separators=(",", ":")))
    words = " ".join(f"{n * 97 % 1000 + word * 389 % 8999}" for word in range(200))
    return {"id": n, "text": words[:room]}


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

    async def work(self, together: int) -> int:
        """Work the queue off as Lambda has it worked off, so many messages to an invocation at most; the invocations.

        What Lambda's poller asks of SQS is asked here: one receive before an invocation, one delete after it. The
        receive that finds nothing any more is not counted.
        """
        invocations, queue = 0, self.here.queue
        while received := await queue.receive(together, 0):
            invocations += 1
            budget = Budget(to_milliseconds(self.house.clock.now()) + 840_000)
            failed = await work_batch(self.house.tools, queue, received, budget)
            await queue.acknowledge([each for each in received if each not in failed])
        self.here.aws.tally.calls["sqs.ReceiveMessage"] -= 1
        return invocations

    @property
    def writes(self) -> int:
        """Calls that write to the table, of whatever kind."""
        return sum(self.calls.get(f"dynamodb.{name}", 0) for name in ("UpdateItem", "PutItem", "BatchWriteItem"))

    @property
    def queue_requests(self) -> int:
        """Calls of any kind to the queue."""
        return sum(count for name, count in self.calls.items() if name.startswith("sqs."))

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
        assert cloud.units == units_for(size_of(item)) == 1
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


def run_thirty(url: str, reads: Container[int]) -> tuple[float, dict[str, int]]:
    """Units and calls of thirty steps in one invocation."""
    found: list[tuple[float, dict[str, int]]] = []

    async def scene(cloud: Cloud) -> None:
        for n in range(30):
            cloud.house.http.answers[f"/s{n}"] = half_a_kilobyte(n)
        plan = await cloud.warm(thirty(reads))
        assert sum(step.effect is Effect.AT_LEAST_ONCE for step in plan.steps) == 12
        cloud.count()
        entered = await cloud.knock(plan)
        assert entered.image is not None
        assert entered.image.status is Status.SUCCEEDED
        assert "due" in cloud.index_units  # counted apart
        found.append((cloud.units, cloud.calls))
        details = await cloud.house.details(entered.execution)
        for n, step in enumerate(details.steps):
            assert 500 <= len(json.dumps(step.output, separators=(",", ":"))) <= 512
            if step.uses == "set":
                assert step.input == step.output
            else:
                assert step.input is not None
                assert step.input["url"] == f"https://api.example/s{n}"

    play(url, scene)
    return found[0]


def test_thirty_steps_with_a_barrier_cost_at_most_forty_one_units(aws_url: str) -> None:
    """Forty percent leased, half a kilobyte each: thirteen writes, each claim with all that came before it."""
    units, calls = run_thirty(aws_url, reads={0, 1})
    assert (calls["dynamodb.UpdateItem"], calls["dynamodb.PutItem"]) == (13, 12)
    assert units <= 41
    assert units == 12 * (1 + 2) + 2  # the head stays within a KB; the last values go into it


def test_a_read_behind_a_leased_step_costs_a_write_more(aws_url: str) -> None:
    """A leased outcome is recorded as soon as it is known, and not only once the read behind it has answered."""
    units, calls = run_thirty(aws_url, reads={0, 1, 3, 13, 23})
    assert (calls["dynamodb.UpdateItem"], calls["dynamodb.PutItem"]) == (16, 15)
    assert units <= 41
    units, calls = run_thirty(aws_url, reads=range(30))
    assert (calls["dynamodb.UpdateItem"], calls["dynamodb.PutItem"]) == (24, 23)
    assert units == 54


def run_fan(url: str, method: str, together: int, respond: str) -> tuple[int, int, int]:
    """Invocations, writes and queue requests of a loop over a hundred items."""
    found: list[tuple[int, int, int]] = []

    async def scene(cloud: Cloud) -> None:
        await cloud.warm(FIVE)
        plan = await cloud.house.publish(FAN % method)
        cloud.house.clock.time += timedelta(seconds=60)
        cloud.count()
        entered = await cloud.knock(plan, respond, wait_seconds=WAIT_SECONDS)
        # Where the front door runs it, that is an invocation too.
        invocations = await cloud.work(together) + (respond == "result")
        found.append((invocations, cloud.writes, cloud.queue_requests))
        details = await cloud.house.details(entered.execution)
        assert (details.image.status, details.output) == (Status.SUCCEEDED, [2 * n for n in range(1, 101)])
        assert len(cloud.house.http.sent) == 100 + 2  # and what warmed it up

    play(url, scene)
    return found[0]


def test_a_hundred_reads_that_fit_run_in_one_invocation(aws_url: str) -> None:
    # The message that starts it, its receive and its delete.
    assert run_fan(aws_url, "GET", together=10, respond="accepted") == (1, 1, 3)


def test_a_hundred_reads_in_chunks_of_ten_keep_to_their_budget(aws_url: str) -> None:
    """Begun at the front door, in whose time they may not end: so the loop is cut.

    Each message in an invocation of its own is the most it can come to; Lambda hands over up to ten at a time."""
    invocations, writes, requests = run_fan(aws_url, "GET", together=1, respond="result")
    assert (invocations, writes, requests) == (12, 22, 24)
    invocations, writes, requests = run_fan(aws_url, "GET", together=10, respond="result")
    assert (invocations, writes, requests) == (3, 22, 6)


def test_a_hundred_leased_steps_in_chunks_of_ten_keep_to_their_budget(aws_url: str) -> None:
    """A chunk is three writes: its claims, its outcomes with its end, its mark.

    The answers come in one moment here. What comes later is a write more: no outcome waits for another.
    """
    invocations, writes, requests = run_fan(aws_url, "POST", together=1, respond="result")
    assert (invocations, writes, requests) == (12, 32, 24)
    invocations, writes, requests = run_fan(aws_url, "POST", together=10, respond="result")
    assert (invocations, writes, requests) == (3, 32, 6)

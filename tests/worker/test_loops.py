"""Loops that are stopped, put off, too long, or stand in `on_failure`."""

import asyncio
from dataclasses import replace

from chalicelib.engine.facts import Done
from chalicelib.engine.messages import Go
from chalicelib.engine.records import RecordKey, Status
from chalicelib.errors import WorkerMishapError
from chalicelib.ports import HttpAnswer
from chalicelib.worker.deliver import GiveBack, deliver
from chalicelib.worker.tools import Settings
from tests.worker.house import House, budget_of, run, statuses, urls

BUSY, GONE = HttpAnswer(503, (), b""), HttpAnswer(404, (), b"")


def test_a_mishap_in_one_turn_lets_the_requests_of_the_others_land():
    async def story():
        class Evaluator:
            def __init__(self, inner):
                self.inner, self.fails = inner, True

            async def evaluate(self, expressions, scope, moment):
                if self.fails and scope.get("item") == 2:
                    self.fails = False
                    raise WorkerMishapError("the evaluator was killed")
                return await self.inner.evaluate(expressions, scope, moment)

        house = House()
        house.tools = replace(house.tools, evaluator=Evaluator(house.tools.evaluator))
        house.door._tools = house.tools
        entered = await house.enter("""
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 3}
    steps:
      post: {uses: http.request, effect: at_most_once, with: {method: POST, url: "https://api.example/n/${ item }"}}
    output: "${ steps.post.body.path }"
output: "${ steps.each.results }"
""")
        assert entered.image.status is Status.RUNNING
        await house.drain()
        assert (await house.details(entered.execution)).output == ["/n/1", "/n/2", "/n/3"]
        assert sorted(urls(house)) == ["/n/1", "/n/2", "/n/3"]

    run(story())


def test_on_failure_steps_are_tried_again_and_may_loop():
    async def story():
        house = House()
        house.http.answers["/tell"] = [BUSY, {"ok": True}]
        entered = await house.enter("""
flow: f
steps:
  boom: {uses: fail, with: {message: no, code: broken}}
on_failure:
  tell: {uses: http.request, retry: {attempts: 2, first: 1s}, with: {method: POST, url: "https://api.example/tell"}}
  each:
    uses: foreach
    after: tell
    with: {over: [1, 2]}
    steps:
      warn: {uses: http.request, with: {method: POST, url: "https://api.example/warn/${ item }", json: {why: "${ failure.code }"}}}
""")
        assert entered.image.status is Status.FAILED
        details = await house.details(entered.execution)
        assert statuses(details) == {"boom": "failed", "tell": "succeeded", "each": "succeeded"}
        assert sorted(urls(house)) == ["/tell", "/tell", "/warn/1", "/warn/2"]

    run(story())


def test_a_cancel_between_two_steps_of_a_turn_ends_it_at_once_and_keeps_what_was_sent():
    async def story():
        house = House()
        gate = asyncio.Event()

        async def cancel_now(request):
            key = next(key for key in house.facts._images if key.is_head)
            await house.door.cancel("main", key.execution, "enough")
            gate.set()
            return {"id": 1}

        async def slow(request):
            await gate.wait()
            return {"id": 2}

        house.http.answers |= {"/a/1": cancel_now, "/a/2": slow}
        entered = await house.enter("""
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 2}
    steps:
      a: {uses: http.request, with: {method: POST, url: "https://api.example/a/${ item }"}}
      b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b/${ item }"}}
""")
        assert entered.image.status is Status.CANCELLED
        assert sorted(urls(house)) == ["/a/1", "/a/2"]
        loop = await house.facts.read(RecordKey("main", entered.execution, "each"))
        assert {name: type(fact) for name, fact in loop.facts.items()} == {"f1_0": Done, "f1_1": Done}

    run(story())


def test_what_a_failure_elsewhere_stops_is_also_the_loop_of_another_invocation():
    async def story():
        house = House()
        gate = asyncio.Event()

        async def slow(request):
            await gate.wait()
            return {"id": 1}

        house.http.answers["/n/1"] = slow
        house.http.answers["/boom"] = GONE
        text = """
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 1}
    steps:
      post: {uses: http.request, with: {method: POST, url: "https://api.example/n/${ item }"}}
    output: "${ item }"
  boom: {uses: http.request, run: apart, with: {url: "https://api.example/boom"}}
"""
        task = asyncio.ensure_future(house.enter(text))
        while "/n/1" not in urls(house):
            await asyncio.sleep(0)
        (key,) = {key for key in house.facts._images if key.is_head}
        verdict = await deliver(house.tools, Go("main", key.execution, 0, ("boom",)), budget_of(house))
        assert isinstance(verdict, GiveBack), "somebody still holds a turn: the end waits for it"
        assert (await house.image(key.execution)).status is Status.ENDING
        gate.set()
        entered = await task
        await house.drain()
        assert (await house.image(entered.execution)).status is Status.FAILED
        assert [url for url in urls(house) if url.startswith("/n")] == ["/n/1"], "no claim succeeds after the failure"

    run(story())


def test_a_wait_in_a_turn_that_does_not_fit_goes_on_in_another_invocation():
    async def story():
        house = House()
        entered = await house.enter("""
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2], concurrency: 1}
    steps:
      post: {uses: http.request, with: {method: POST, url: "https://api.example/n/${ item }"}}
      nap: {uses: wait, after: post, with: {for: 10m}}
    output: "${ item }"
output: "${ steps.each.results }"
""")
        assert entered.image.status is Status.RUNNING
        before = house.clock.now()
        await house.drain()
        assert (await house.details(entered.execution)).output == [1, 2]
        assert (house.clock.now() - before).total_seconds() >= 1200
        assert urls(house) == ["/n/1", "/n/2"]

    run(story())


def test_a_retry_in_a_turn_that_does_not_fit_is_recorded_and_goes_on_later():
    async def story():
        house = House(settings=Settings(invocation_seconds=60))
        house.http.answers["/n/1"] = [HttpAnswer(429, (("retry-after", "300"),), b""), {"ok": 1}]
        entered = await house.enter("""
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2]}
    steps:
      post: {uses: http.request, retry: {attempts: 2}, with: {method: POST, url: "https://api.example/n/${ item }"}}
    output: "${ steps.post.status }"
output: "${ steps.each.results }"
""")
        assert entered.image.status is Status.RUNNING
        await house.drain()
        assert (await house.details(entered.execution)).output == [200, 200]
        assert sorted(urls(house)) == ["/n/1", "/n/1", "/n/2"]

    run(story())


def test_a_loop_of_reads_that_never_fits_fails_instead_of_beginning_anew_for_ever():
    async def story():
        house = House()
        house.http.answers["/n/1"] = HttpAnswer(429, (("retry-after", "600"),), b"")
        entered = await house.enter(
            """
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1]}
    steps:
      get: {uses: http.request, retry: {attempts: 9}, with: {url: "https://api.example/n/${ item }"}}
    output: 1
""",
            wait_seconds=840.0,
        )
        await house.drain()
        image = await house.image(entered.execution)
        assert (image.status, image.reason.code) == (Status.FAILED, "too_long")

    run(story())

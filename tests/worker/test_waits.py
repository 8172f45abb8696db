"""Waits: for a moment, for somebody's answer, for another execution's end."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.engine.facts import Claimed, Signalled, Waiting
from chalicelib.engine.messages import Resume
from chalicelib.engine.records import RecordKey, Status
from chalicelib.errors import (
    ExecutionEndedError,
    LinkExpiredError,
    LinkUsedError,
    LinkWrongError,
    ParameterError,
    StoreError,
)
from chalicelib.ports import HttpAnswer, Link, Signal
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.door import FrontDoor
from tests.worker.house import House, run, statuses, urls

ASKING = """
flow: asking
steps:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell", json: {link: "${ execution.links.ask }"}}}
  ask: {uses: approval, after: tell, with: {ask: "Ship it?", expires: 2d}}
  ship: {uses: http.request, after: ask.approved, with: {method: POST, url: "https://api.example/ship", json: {by: "${ steps.ask.by }"}}}
  keep: {uses: set, after: {any: [ask.rejected, ask.expired]}, with: {kept: true}}
output: {by: "${ steps.ask.by ?? 'nobody' }"}
"""


async def link_of(house, execution, step="ask"):
    import json

    sent = next(each for each in house.http.sent if each.body)
    return await house.door.read_link(json.loads(sent.body)["link"].rpartition("/")[2])


def test_a_long_wait_is_brought_by_the_sweeper_alone():
    async def story():
        house = House()
        entered = await house.enter("""
flow: nap
steps:
  nap: {uses: wait, with: {for: 30d}}
  then: {uses: http.request, after: nap, with: {url: "https://api.example/then"}}
output: "${ steps.nap.until }"
""")
        assert (await house.image(entered.execution)).status is Status.RUNNING
        await house.drain(idle_minutes=31 * 24 * 60)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        assert details.output == "2026-12-20T07:00:00.000Z"
        assert urls(house) == ["/then"]
        assert details.image.ended >= details.image.birth.started + 30 * 86_400_000

    run(story())


def test_an_approval_goes_on_where_its_link_is_answered():
    async def story():
        house = House()
        entered = await house.enter(ASKING)
        assert statuses(await house.details(entered.execution))["ask"] == "waiting"
        link = await link_of(house, entered.execution)
        asked = await house.door.asked(link)
        assert (asked.kind, asked.status, asked.parameters["ask"]) == ("approval", "waiting", "Ship it?")
        await house.door.signal(link, Signal("approved", {"by": "ann", "comment": "", "via": "link"}))
        await house.drain(idle_minutes=2)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        assert details.output == {"by": "ann"}
        assert urls(house) == ["/tell", "/ship"]
        assert (await house.door.asked(link)).status == "answered"
        with pytest.raises(LinkUsedError):
            await house.door.signal(link, Signal("rejected", {}))

    run(story())


def test_an_answer_before_the_step_waits_is_not_lost_and_counts_once():
    async def story():
        house = House()

        async def clicks(request):
            link = await house.door.read_link(__import__("json").loads(request.body)["link"].rpartition("/")[2])
            assert (await house.door.asked(link)).status == "early"
            await house.door.signal(link, Signal("rejected", {"by": "bob", "comment": "no", "via": "link"}))
            with pytest.raises(LinkUsedError):
                await house.door.signal(link, Signal("approved", {"by": "eve"}))
            return {"ok": True}

        house.http.answers["/tell"] = lambda request: _answer(clicks(request))
        entered = await house.enter(ASKING)
        await house.drain(idle_minutes=2)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        assert statuses(details) == {"tell": "succeeded", "ask": "succeeded", "ship": "skipped", "keep": "succeeded"}

    run(story())


async def _answer(work):
    return await work


def test_nobody_answers_and_it_leaves_by_expired():
    async def story():
        house = House()
        entered = await house.enter(ASKING)
        link = await link_of(house, entered.execution)
        await house.drain(idle_minutes=3 * 24 * 60)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        assert {step.id: step.port for step in details.steps}["ask"] == "expired"
        with pytest.raises(LinkExpiredError):
            await house.door.signal(link, Signal("approved", {}))

    run(story())


def test_an_altered_link_a_wrong_port_and_an_ended_execution_are_refused_by_name():
    async def story():
        house = House()
        entered = await house.enter(ASKING)
        link = await link_of(house, entered.execution)
        address = await house.tools.links.address("approval", link)
        text = address.rpartition("/")[2]
        for wrong in (text[:-1], text[1:], "x" + text, text.partition(".")[0], "", "a" * 5000, text.replace(".", "..")):
            with pytest.raises(LinkWrongError):
                await house.door.read_link(wrong)
        with pytest.raises(ParameterError):
            await house.door.signal(link, Signal("received", {}))
        await house.door.cancel("main", entered.execution, "enough")
        with pytest.raises(ExecutionEndedError):
            await house.door.signal(link, Signal("approved", {}))
        await house.drain(idle_minutes=2)
        assert (await house.image(entered.execution)).status is Status.CANCELLED
        with pytest.raises(ExecutionEndedError):
            await house.door.signal(link, Signal("approved", {}))

    run(story())


def test_a_heartbeat_keeps_a_callback_waiting_and_silence_ends_it():
    async def story():
        house = House()
        entered = await house.enter("""
flow: working
steps:
  order: {uses: http.request, with: {method: POST, url: "https://api.example/order", json: {link: "${ execution.links.job }"}}}
  job: {uses: callback, after: order, with: {expires: 2h, heartbeat: 10m}}
  late: {uses: set, after: job.expired, with: {late: true}}
  good: {uses: set, after: job.received, with: {good: true}}
""")
        link = await link_of(house, entered.execution)
        for _ in range(4):
            house.clock.time += timedelta(minutes=8)
            assert await house.door.heartbeat(link) == int(house.clock.now().timestamp() * 1000) + 600_000
            await house.drain(idle_minutes=1, sweeps=True)
        assert statuses(await house.details(entered.execution))["job"] == "waiting"
        await house.drain(idle_minutes=30)
        details = await house.details(entered.execution)
        assert statuses(details)["late"] == "succeeded"

    run(story())


CHILD = """
flow: child
inputs: {n: {type: number}}
steps:
  work: {uses: http.request, with: {method: POST, url: "https://api.example/work", json: {n: "${ inputs.n }"}}}
  nap: {uses: wait, after: work, with: {for: 1h}}
output: "${ inputs.n * 2 }"
"""

PARENT = """
flow: parent
steps:
  go: {uses: call, with: {flow: child, wait: true, inputs: {n: 21}}}
  after: {uses: set, with: {v: "${ steps.go }"}}
output: "${ steps.after.v }"
"""


def test_a_call_waits_for_the_other_flows_output():
    async def story():
        house = House()
        await house.publish(CHILD)
        entered = await house.enter(PARENT)
        await house.drain()
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        assert details.output == 42
        assert urls(house) == ["/work"]

    run(story())


def test_a_failed_child_fails_the_call_with_its_reason():
    async def story():
        house = House()
        await house.publish(
            CHILD.replace("wait, after: work, with: {for: 1h}", 'fail, after: work, with: {message: "sold out"}')
        )
        entered = await house.enter(PARENT)
        await house.drain(idle_minutes=5)
        details = await house.details(entered.execution)
        assert details.image.status is Status.FAILED
        assert details.image.reason.code == "child_failed"
        assert "sold out" in details.image.reason.message

    run(story())


def test_a_cancel_reaches_the_child():
    async def story():
        house = House()
        await house.publish(CHILD)
        entered = await house.enter(PARENT)
        await house.drain(idle_minutes=2)
        details = await house.details(entered.execution)
        child = next(step.child for step in details.steps if step.id == "go")
        assert (await house.image(child)).status is Status.RUNNING
        await house.door.cancel("main", entered.execution, "enough")
        await house.drain(idle_minutes=5)
        assert (await house.image(entered.execution)).status is Status.CANCELLED
        image = await house.image(child)
        assert image.status is Status.CANCELLED
        assert image.reason.code == "parent_ended"
        assert image.next_check is None

    run(story())


def test_a_flow_that_calls_itself_ends_at_the_limit():
    async def story():
        house = House()
        entered = await house.enter("""
flow: circle
steps:
  again: {uses: call, with: {flow: circle, wait: true}}
""")
        await house.drain(500, idle_minutes=30)
        details = await house.details(entered.execution)
        assert details.image.status is Status.FAILED
        heads = [key for key in house.facts._images if key.is_head]
        assert len(heads) == 11
        reasons = {image.reason.code for key, image in house.facts._images.items() if key.is_head}
        assert reasons == {"child_failed", "call_too_deep"}

    run(story())


def test_an_error_trigger_starts_once_and_not_for_its_own_failures():
    async def story():
        house = House()
        await house.publish("""
flow: alarm
inputs: {why: {type: string}}
triggers:
  failed: {uses: error, inputs: {why: "${ trigger.flow & ': ' & trigger.message }"}}
steps:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell", json: {why: "${ inputs.why }"}}}
  boom: {uses: fail, after: tell, with: {message: "alarm broke"}}
""")
        entered = await house.enter("""
flow: broken
steps:
  boom: {uses: fail, with: {message: "no luck"}}
""")
        await house.drain(idle_minutes=5)
        image = await house.image(entered.execution)
        assert image.status is Status.FAILED
        assert image.next_check is None
        assert [each.body for each in house.http.sent] == [b'{"why":"broken: no luck"}']
        heads = [key for key in house.facts._images if key.is_head]
        assert len(heads) == 2

    run(story())


def test_an_approval_in_a_loop_has_a_link_for_each_turn():
    async def story():
        import json

        house = House()
        entered = await house.enter("""
flow: many
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 2}
    steps:
      tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell/${ item }", json: {link: "${ execution.links.ask }"}}}
      ask: {uses: callback, after: tell}
      then: {uses: set, after: ask.received, with: {v: "${ steps.ask.body.n }"}}
    output: "${ steps.then.v }"
output: "${ steps.each.results }"
""")
        answered = set()
        for _ in range(4):
            await house.drain(idle_minutes=2)
            for sent in house.http.sent:
                text = json.loads(sent.body)["link"].rpartition("/")[2]
                if text not in answered:
                    answered.add(text)
                    link = await house.door.read_link(text)
                    value = {"body": {"n": link.path[-1] * 10}, "headers": {}, "query": {}, "method": "POST"}
                    await house.door.signal(link, Signal("received", value))
        assert len(answered) == 3
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED, details.image
        assert details.output == [0, 10, 20]
        assert RecordKey("main", entered.execution, "each") in house.facts._images

    run(story())


class FailsOnce(MemoryFacts):
    """Memory, whose first write fails after the asker's time is up."""

    failed = False

    async def write(self, write):
        if not self.failed:
            self.failed = True
            await asyncio.sleep(0.01)
            raise StoreError("too many requests")
        return await super().write(write)


def test_a_request_that_lasts_too_long_is_recorded_as_queued_where_its_flow_has_lanes():
    async def story():
        house = House(facts=FailsOnce())
        house.door = FrontDoor(house.tools, house.ends, house.background)
        entered = await house.enter(
            """
flow: one-by-one
concurrency: 1
steps:
  ask: {uses: http.request, with: {method: POST, url: "https://api.example/ask"}}
""",
            wait_seconds=0.0,
        )
        assert entered.image.status is Status.QUEUED  # it would have run without a place in its lane
        await house.drain(idle_minutes=30)
        assert (await house.image(entered.execution)).status is Status.SUCCEEDED
        assert urls(house) == ["/ask"]

    run(story())


def test_an_expiry_whose_message_comes_early_by_another_clock_is_sent_for_again():
    async def story():
        house = House()
        entered = await house.enter("""
flow: limited
steps:
  answer: {uses: callback, with: {expires: 10m}}
  late: {uses: http.request, after: answer.expired, with: {method: POST, url: "https://api.example/late"}}
""")
        house.clock.time += timedelta(minutes=10)
        (received,) = await house.queue.receive(1, 0)
        house.clock.time -= timedelta(milliseconds=900)  # by the clock of the worker that takes it
        verdict = await deliver(house.tools, received.message, Budget(to_milliseconds(house.clock.now()) + 840_000))
        assert isinstance(verdict, Acknowledge)
        await house.queue.acknowledge([received])
        assert urls(house) == []
        house.clock.time += timedelta(seconds=2)
        await house.drain(sweeps=False, idle_minutes=1)
        assert (await house.image(entered.execution)).status is Status.SUCCEEDED
        assert urls(house) == ["/late"]

    run(story())


class ExpiresMeanwhile(MemoryFacts):
    """Memory, in which a step begins to wait, and its time runs out, while an early answer is on its way."""

    async def write(self, write):
        image = self._images.get(write.key)
        if any(isinstance(put.fact, Signalled) for put in write.puts.values()) and "f1" not in image.facts:
            late = Waiting("callback", write.now - 1, write.now - 60_000)
            self._images[write.key] = replace(image, facts={**image.facts, "f1": late}, rev=image.rev + 1)
        return await super().write(write)


def test_an_early_answer_that_arrives_after_the_step_has_expired_is_not_taken():
    async def story():
        house = House(facts=ExpiresMeanwhile())
        entered = await house.enter("""
flow: limited
steps:
  nap: {uses: wait, with: {for: 1h}}
  answer: {uses: callback, after: nap, with: {expires: 1m}}
""")
        link = Link("main", entered.execution, "", "answer", ())
        with pytest.raises(LinkExpiredError):
            await house.door.signal(link, Signal("received", {"body": {}}))
        assert "S1" not in (await house.image(entered.execution)).facts

    run(story())


def test_a_resume_that_finds_somebody_at_work_leaves_a_look_for_when_that_lease_has_run_out():
    async def story():
        house = House()
        looks = []

        async def act(request):
            key = RecordKey("main", request.url.rpartition("/")[2])
            far = to_milliseconds(house.clock.now()) + 20 * 86_400_000  # the other wait's moment
            image = house.facts._images[key] = replace(await house.facts.read(key), next_check=far)
            verdict = await deliver(
                house.tools, Resume("main", key.execution, 0), Budget(to_milliseconds(house.clock.now()) + 840_000)
            )
            assert isinstance(verdict, Acknowledge)
            (claim,) = [fact for fact in image.facts.values() if isinstance(fact, Claimed)]
            looks.append((image.next_check, (await house.facts.read(key)).next_check, claim.expires))
            return {}

        entered = await house.enter("""
flow: nap-then-act
steps:
  nap: {uses: wait, with: {for: 30d}}
  first: {uses: wait, with: {for: 2d}}
  act: {uses: http.request, after: first, with: {method: POST, url: "https://api.example/act/${ execution.id }"}}
""")
        house.http.answers[f"/act/{entered.execution}"] = act
        await house.drain(idle_minutes=3 * 24 * 60)
        (before, after, expires) = looks[0]
        assert expires <= after <= expires + 120_000 < before

    run(story())


def test_a_failure_in_a_paused_execution_whose_time_is_up_ends_it_with_its_on_failure_steps():
    async def story():
        house = House()

        async def pause_and_fail(request):
            await house.door.pause("main", request.url.rpartition("/")[2])
            return HttpAnswer(404, (), b"")

        entered = await house.enter(
            """
flow: late
deadline: 10m
steps:
  ask: {uses: http.request, with: {method: POST, url: "https://api.example/ask/${ execution.id }"}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell"}}
""",
            respond="accepted",
        )
        house.http.answers[f"/ask/{entered.execution}"] = pause_and_fail
        await house.drain(idle_minutes=5)
        assert (await house.image(entered.execution)).status is Status.PAUSED
        await house.drain(idle_minutes=30)
        image = await house.image(entered.execution)
        assert (image.status, image.reason.code) == (Status.FAILED, "http_404")
        assert urls(house)[-1] == "/tell"

    run(story())

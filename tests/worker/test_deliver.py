"""What becomes of a message: late, twice, for a step that is done or held, after its deadline."""

import asyncio
import json
from dataclasses import replace

import pytest

from chalicelib.engine.facts import Claimed, Done, How
from chalicelib.engine.messages import Go, Resume, Start
from chalicelib.engine.records import Birth, RecordKey, Status
from chalicelib.errors import ConflictError, ExecutionEndedError, NotFoundError
from chalicelib.ports import Received
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.deliver import Acknowledge, GiveBack, deliver
from chalicelib.worker.listener import work_off
from chalicelib.worker.tools import Settings
from tests.worker.house import House, Watched, budget_of, run, statuses, urls


def test_a_time_out_longer_than_an_invocation_is_cut_to_what_one_can_hold():
    async def story():
        house = House(settings=Settings(invocation_seconds=120))
        entered = await house.enter(
            'flow: f\nsteps:\n  a: {uses: http.request, timeout: 4m, with: {method: POST, url: "https://api.example/a"}}\n'
        )
        await house.drain(most=5)
        assert (await house.image(entered.execution)).status is Status.SUCCEEDED
        assert house.http.sent[0].timeout_seconds == 100

    run(story())


def test_a_deadline_ends_what_waits_and_what_is_asked_and_runs_on_failure():
    async def story():
        house = House()
        never = asyncio.Event()

        async def hangs(request):
            await never.wait()

        house.http.answers["/hangs"] = hangs
        for step in (
            "{uses: wait, with: {for: 15m}}",
            '{uses: http.request, timeout: 4m, with: {url: "https://api.example/hangs"}}',
        ):
            began = house.clock.now()
            entered = await house.enter(
                f"""
flow: f
deadline: 2m
steps:
  long: {step}
  never: {{uses: set, after: long, with: {{v: 1}}}}
on_failure:
  tell: {{uses: http.request, with: {{method: POST, url: "https://api.example/tell", json: {{why: "${{ failure.code }}"}}}}}}
""",
                wait_seconds=840.0,
            )
            await house.drain()
            image = await house.image(entered.execution)
            assert (image.status, image.reason.code) == (Status.TIMED_OUT, "deadline")
            assert 120_000 <= image.ended - to_milliseconds(began) < 300_000
            assert json.loads(house.http.sent[-1].body) == {"why": "deadline"}

    run(story())


def test_a_start_that_comes_twice_is_given_back_while_the_first_is_at_it():
    async def story():
        house = House()
        plan = await house.publish(
            'flow: f\nsteps:\n  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}\n'
        )
        now = to_milliseconds(house.clock.now())
        birth = Birth(plan.flow, plan.version, "", now, "", "hash", keyed=True)
        start = Start("main", "0" * 26, birth, now, '{"trigger": null, "inputs": {}}')
        again = Start(
            "main", "0" * 26, Birth(plan.flow, plan.version, "", now + 1, "", "hash", keyed=True), now + 1, start.input
        )
        verdicts = []

        async def meanwhile(request):
            verdicts.append(await deliver(house.tools, again, budget_of(house)))
            return {}

        house.http.answers["/a"] = meanwhile
        assert isinstance(await deliver(house.tools, start, budget_of(house)), Acknowledge)
        (verdict,) = verdicts
        assert isinstance(verdict, GiveBack), "should the first one die, nobody else would know"
        assert isinstance(await deliver(house.tools, again, budget_of(house)), Acknowledge)
        assert urls(house) == ["/a"]

    run(story())


def test_only_another_body_is_a_conflict_that_needs_no_second_look():
    async def story():
        async def conflict(store, write):
            raise ConflictError("somebody moved first")

        house = House(facts=Watched(conflict))
        plan = await house.publish("flow: f\nsteps:\n  a: {uses: set, with: {v: 1}}\n")
        birth = Birth(plan.flow, plan.version, "", 0, "", "hash")
        now = to_milliseconds(house.clock.now())
        start = Start("main", "0" * 26, birth, now, '{"trigger": null, "inputs": {}}')
        assert await work_off(house.tools, Received("h", 1, start, ""), budget_of(house)) is not None

    run(story())


def test_a_version_that_is_gone_is_a_visible_failure_and_whoever_waits_is_told():
    async def story():
        house = House()
        now = to_milliseconds(house.clock.now())
        ended = house.ends.of("0" * 26)
        start = Start("main", "0" * 26, Birth("f", "v" * 64, "", now, "", "hash"), now, "{}")
        assert isinstance(await deliver(house.tools, start, budget_of(house)), Acknowledge)
        assert ended.result().reason.code == "version_missing"
        with pytest.raises(NotFoundError, match="never stored"):
            await house.door.retry("main", "0" * 26, now)
        late = Start("main", "1" * 26, start.birth, now - 15 * 86_400_000, "{}")
        await deliver(house.tools, late, budget_of(house))
        assert (await house.image("1" * 26)).reason.code == "expired"

    run(story())


def test_cancelling_again_sends_again_what_a_dead_process_may_not_have_sent():
    async def story():
        house = House()
        entered = await house.enter("flow: f\nsteps:\n  nap: {uses: wait, with: {for: 10m}}\n")
        await house.queue.acknowledge(await house.queue.receive(10, 0))
        await house.door.cancel("main", entered.execution, "enough")
        await house.queue.acknowledge(await house.queue.receive(10, 0))  # as if it had never been sent
        await house.door.cancel("main", entered.execution, "enough")
        (received,) = await house.queue.receive(10, 0)
        assert received.message == Resume("main", entered.execution, 0)
        await deliver(house.tools, received.message, budget_of(house))
        assert (await house.image(entered.execution)).status is Status.CANCELLED
        with pytest.raises(ExecutionEndedError):
            await house.door.cancel("main", entered.execution, "enough")

    run(story())


def test_a_go_for_a_step_that_is_done_starts_what_follows_and_one_that_is_held_is_given_back():
    async def story():
        house = House()
        entered = await house.enter("""
flow: f
steps:
  b: {uses: http.request, run: apart, with: {method: POST, url: "https://api.example/b"}}
  c: {uses: http.request, after: b, with: {method: POST, url: "https://api.example/c"}}
""")
        key = RecordKey("main", entered.execution)
        go = Go("main", entered.execution, 0, ("b",))
        held = []

        async def meanwhile(request):
            held.append(await deliver(house.tools, go, budget_of(house)))
            return {}

        house.http.answers["/b"] = meanwhile
        house.http.answers["/c"] = meanwhile
        assert isinstance(await deliver(house.tools, go, budget_of(house)), Acknowledge)
        assert [type(each) for each in held] == [GiveBack, GiveBack]
        assert urls(house) == ["/b", "/c"]
        assert (await house.facts.read(key)).status is Status.SUCCEEDED

    run(story())


def test_an_expired_lease_of_an_at_most_once_step_is_unknown_and_its_error_port_is_taken():
    async def story():
        house = House()
        entered = await house.enter("""
flow: f
steps:
  nap: {uses: wait, with: {for: 10m}}
  charge: {uses: http.request, effect: at_most_once, after: nap, with: {method: POST, url: "https://api.example/charge"}}
  look: {uses: set, after: charge.error, with: {code: "${ errors.charge.code }"}}
output: "${ steps.look.code ?? 'none' }"
""")
        (key,) = house.facts._images
        image = house.facts._images[key]
        nap = image.facts["f0"]
        done = Done(How.SUCCEEDED, "done", 1, nap.due)
        house.facts._images[key] = replace(image, facts={"f0": done, "f1": Claimed("dead", nap.due, 1, 0)})
        await house.drain()
        details = await house.details(entered.execution)
        assert statuses(details) == {"nap": "succeeded", "charge": "unknown", "look": "succeeded"}
        assert details.output == "lease_lost"
        assert house.http.sent == []

    run(story())

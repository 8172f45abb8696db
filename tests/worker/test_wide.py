"""Wide loops: cut into chunks, run in any order, joined in order; repeat; lanes; pause; redrive; dead letters."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.engine.facts import Claimed, Done, How, Waiting
from chalicelib.engine.messages import Chunk, Go, Resume, Start
from chalicelib.engine.records import RecordKey, Status
from chalicelib.errors import ExecutionOngoingError, RedriveRefusedError
from chalicelib.ports import HttpAnswer
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.burial import bury
from tests.worker.house import House, budget_of, run, urls

WIDE = """
flow: wide
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 40%s}
    steps:
      put: {uses: http.request, with: {method: POST, url: "https://api.example/put/${ item }", json: {n: "${ item }"}}}
    output: "${ steps.put.body.path }"
  then: {uses: set, with: {n: "${ steps.each.count }"}}
output: {results: "${ steps.each.results }", failed: "${ [steps.each.failed.index] }", n: "${ steps.then.n }"}
"""
GONE = HttpAnswer(404, (), b"")


def body_of(path_by_item):
    async def answer(request):
        item = int(request.url.rpartition("/")[2])
        return path_by_item(item)

    return answer


def everything(house, count, bad=()):
    for item in range(count):
        if item in bad:
            house.http.answers[f"/put/{item}"] = GONE


def parts(house, execution):
    return sorted(key.part for key in house.facts._images if key.execution == execution and key.part)


@pytest.mark.parametrize("count", [21, 100, 1400])
def test_results_come_in_order_from_chunks(count):
    async def story():
        house = House()
        entered = await house.enter(WIDE % "", {"rows": list(range(count))}, respond="accepted")
        await house.drain(5_000, idle_minutes=2)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED, details.image.reason
        assert details.output["results"] == [f"/put/{item}" for item in range(count)]
        assert details.output["n"] == count
        assert sorted(urls(house)) == sorted(f"/put/{item}" for item in range(count))
        found = parts(house, entered.execution)
        assert "each/r" in found
        assert len([part for part in found if part.startswith("each/b")]) == -(-count // 10)
        assert len([part for part in found if part.startswith("each/s")]) == (0 if count <= 1280 else 2)

    run(story())


def test_tolerated_failures_are_told_with_their_items_and_others_fail_the_step():
    async def story():
        house = House()
        everything(house, 50, bad={3, 44})
        entered = await house.enter(WIDE % ", tolerate: 4%", {"rows": list(range(50))}, respond="accepted")
        await house.drain(500, idle_minutes=2)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED, details.image.reason
        assert details.output["failed"] == [3, 44]
        assert details.output["results"][3] is None
        everything(house, 50, bad={3, 44, 45})
        entered = await house.enter(WIDE % ", tolerate: 2", {"rows": list(range(50))}, respond="accepted")
        await house.drain(500, idle_minutes=2)
        details = await house.details(entered.execution)
        assert details.image.status is Status.FAILED
        assert details.image.reason.code == "loop"
        assert "3 of 50 turns failed" in details.image.reason.message

    run(story())


def test_too_many_failures_stop_what_has_not_begun():
    async def story():
        house = House()
        everything(house, 400, bad=set(range(400)))
        entered = await house.enter(
            WIDE.replace("concurrency: 40", "concurrency: 10") % "", {"rows": list(range(400))}, respond="accepted"
        )
        await house.drain(500, idle_minutes=2)
        details = await house.details(entered.execution)
        assert details.image.status is Status.FAILED
        assert len(house.http.sent) == 10

    run(story())


def test_a_lost_chunk_is_found_and_a_dead_one_fails_alone():
    async def story():
        house = House()
        entered = await house.enter(WIDE % "", {"rows": list(range(60))}, respond="accepted")
        lost = False
        for _ in range(40):
            for each in await house.queue.receive(1, 0):
                if isinstance(each.message, Chunk) and each.message.index == 2 and not lost:
                    lost = True
                    await house.queue.acknowledge([each])  # purged
                    continue
                await house.queue.fail(each, 0)
            await house.drain(1, idle_minutes=1, sweeps=False)
            if lost:
                break
        assert lost
        await house.drain(500, idle_minutes=60)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        assert len(house.http.sent) == 60

        entered = await house.enter(WIDE % ", tolerate: 10", {"rows": list(range(60))}, respond="accepted")
        buried = False
        for _ in range(200):
            received = await house.queue.receive(1, 0)
            if not received:
                house.clock.time += timedelta(seconds=60)
                continue
            for each in received:
                if isinstance(each.message, Chunk) and each.message.index == 1 and not buried:
                    buried = True
                    assert await bury(house.tools, each.message, "", budget_of(house))
                    await house.queue.acknowledge([each])
                else:
                    await house.queue.fail(each, 0)
            if buried:
                break
            await house.drain(1, idle_minutes=1, sweeps=False)
        assert buried
        await house.drain(500, idle_minutes=5)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED, details.image.reason
        assert details.output["failed"] == list(range(10, 20))

    run(story())


def test_cancel_inside_a_wide_loop_stops_it_and_pause_holds_it():
    async def story():
        house = House()
        flow = WIDE.replace("concurrency: 40", "concurrency: 10") % ""
        entered = await house.enter(flow, {"rows": list(range(60))}, respond="accepted")
        await house.drain(3, idle_minutes=1, sweeps=False)
        done = len(house.http.sent)
        assert 0 < done < 60
        await house.door.pause("main", entered.execution)
        await house.drain(50, idle_minutes=30)
        assert len(house.http.sent) == done
        assert (await house.image(entered.execution)).status is Status.PAUSED
        await house.door.resume("main", entered.execution)
        await house.drain(2, idle_minutes=1, sweeps=False)
        again = len(house.http.sent)
        assert done < again < 60
        await house.door.cancel("main", entered.execution, "enough")
        await house.drain(50, idle_minutes=30)
        assert (await house.image(entered.execution)).status is Status.CANCELLED
        assert len(house.http.sent) == again

    run(story())


def test_a_redrive_repeats_only_the_failed_turns_of_a_wide_loop():
    async def story():
        house = House()
        everything(house, 50, bad={3, 44})
        entered = await house.enter(WIDE % "", {"rows": list(range(50))}, respond="accepted")
        await house.drain(500, idle_minutes=2)
        assert (await house.image(entered.execution)).status is Status.FAILED
        sent = len(house.http.sent)
        house.http.answers.clear()
        image = await house.door.redrive("main", entered.execution)
        assert (image.status, image.epoch) == (Status.RUNNING, 1)
        with pytest.raises(ExecutionOngoingError):
            await house.door.redrive("main", entered.execution)
        await house.drain(500, idle_minutes=30)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED, details.image.reason
        assert details.output["results"] == [f"/put/{item}" for item in range(50)]
        again = urls(house)[sent:]
        assert "/put/3" in again
        assert len(again) == len(set(again))
        first = set(urls(house)[:sent])
        assert {url for url in again if url in first} <= {"/put/3", "/put/44"}  # the others had not been run at all
        with pytest.raises(RedriveRefusedError):
            await house.door.redrive("main", entered.execution)

    run(story())


def test_a_redrive_goes_on_from_the_failed_step_under_a_new_key_and_keeps_the_rest():
    async def story():
        house = House()
        house.http.answers["/b"] = [GONE, {"path": "/b"}]
        entered = await house.enter("""
flow: line
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b"}}
  c: {uses: http.request, after: b, with: {method: POST, url: "https://api.example/c"}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell"}}
output: "${ steps.c.body.path }"
""")
        assert (await house.image(entered.execution)).status is Status.FAILED
        await house.door.redrive("main", entered.execution)
        await house.drain(idle_minutes=2)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        assert urls(house) == ["/a", "/b", "/tell", "/b", "/c"]
        keys = [
            dict(each.headers).get("idempotency-key") or dict(each.headers).get("Idempotency-Key")
            for each in house.http.sent
        ]
        if keys[1]:
            assert keys[3] == f"{keys[1]}.r1"

    run(story())


def test_a_repeat_goes_round_until_it_holds_across_invocations():
    async def story():
        house = House()
        house.http.answers["/state"] = [{"state": "busy", "n": 1}] * 70 + [{"state": "ready", "n": 2}]
        entered = await house.enter("""
flow: polling
steps:
  poll:
    uses: repeat
    with: {until: "${ steps.ask.body.state = 'ready' }", every: 30s, max: 100}
    steps:
      ask: {uses: http.request, with: {url: "https://api.example/state"}}
    output: {state: "${ steps.ask.body.state }", rounds: "${ round }", before: "${ last.rounds ?? 0 }"}
output: "${ steps.poll }"
""")
        await house.drain(500, idle_minutes=10)
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED, details.image.reason
        assert details.output == {"state": "ready", "rounds": 71, "before": 70}
        assert len(house.http.sent) == 71
        assert parts(house, entered.execution) == ["poll", "poll/b1"]

    run(story())


def test_a_repeat_that_reaches_its_limit_fails_and_one_that_collects_gives_all():
    async def story():
        house = House()
        flow = """
flow: rounds
steps:
  go:
    uses: repeat
    with: {until: "${ round >= 4 }", max: %d, collect: true}
    steps:
      put: {uses: http.request, with: {method: PUT, url: "https://api.example/put/${ round }"}}
    output: "${ steps.put.body.path }"
output: "${ steps.go.results }"
"""
        entered = await house.enter(flow % 10)
        await house.drain(idle_minutes=2)
        assert (await house.details(entered.execution)).output == [f"/put/{n}" for n in (1, 2, 3, 4)]
        entered = await house.enter(flow % 3)
        await house.drain(idle_minutes=2)
        image = await house.image(entered.execution)
        assert (image.status, image.reason.code) == (Status.FAILED, "repeat_max")

    run(story())


def test_a_lane_lets_so_many_in_and_the_others_follow_in_order():
    async def story():
        house = House()
        flow = """
flow: narrow
inputs: {n: {type: number}, who: {type: string}}
concurrency: %s
steps:
  put: {uses: http.request, with: {method: POST, url: "https://api.example/put/${ inputs.n }"}}
  nap: {uses: wait, after: put, with: {for: 10m}}
"""
        entered = []
        for n in range(5):
            house.clock.time += timedelta(seconds=1)
            entered.append(await house.enter(flow % 2, {"n": n, "who": "a"}, respond="accepted"))
        await house.drain(5, idle_minutes=1, sweeps=False)
        states = [(await house.image(each.execution)).status for each in entered]
        assert states.count(Status.RUNNING) == 2
        assert states.count(Status.QUEUED) == 3
        await house.drain(200, idle_minutes=60)
        assert [(await house.image(each.execution)).status for each in entered] == [Status.SUCCEEDED] * 5
        assert urls(house)[2:] == ["/put/2", "/put/3", "/put/4"]
        lanes = [image for key, image in house.facts._images.items() if key.part == "lane"]
        assert [dict(lane.facts) for lane in lanes] == [{}]

    run(story())


def test_a_paused_flow_accepts_and_queues_until_it_is_resumed():
    async def story():
        house = House()
        flow = """
flow: held
steps:
  put: {uses: http.request, with: {method: POST, url: "https://api.example/put"}}
"""
        plan = await house.publish(flow)
        live = await house.versions.live("main", "held")
        from dataclasses import replace

        assert await house.versions.set_live(replace(live, rev=live.rev + 1, paused=True))
        from chalicelib.ports import Knock

        knock = Knock("main", plan, None, None, {}, "accepted", to_milliseconds(house.clock.now()))
        entered = await house.door.enter(knock)
        await house.drain(idle_minutes=30)
        assert (await house.image(entered.execution)).status is Status.QUEUED
        live = await house.versions.live("main", "held")
        assert await house.versions.set_live(replace(live, rev=live.rev + 1, paused=False))
        assert await house.door.resume_flow("main", "held") == 1
        await house.drain(idle_minutes=3)
        assert (await house.image(entered.execution)).status is Status.SUCCEEDED

    run(story())


def test_a_dead_letter_is_a_visible_failure_that_can_be_redriven():
    async def story():
        house = House()
        entered = await house.enter("""
flow: nap
steps:
  nap: {uses: wait, with: {for: 10m}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell"}}
""")
        house.clock.time += timedelta(hours=1)
        message = Resume("main", entered.execution, 0)
        assert await bury(house.tools, message, "", budget_of(house))
        image = await house.image(entered.execution)
        assert (image.status, image.reason.code) == (Status.FAILED, "dead_letter")
        assert urls(house) == ["/tell"]
        await house.door.redrive("main", entered.execution)
        await house.drain(idle_minutes=30)
        assert (await house.image(entered.execution)).status is Status.SUCCEEDED
        start = Start("main", "0" * 26, image.birth, image.birth.started, "{}")
        assert await bury(house.tools, start, "", budget_of(house))
        assert (await house.image("0" * 26)).reason.code == "dead_letter"
        assert not await bury(house.tools, None, "garbage", budget_of(house))
        assert await bury(house.tools, Go("main", "1" * 26, 0, ("x",)), "", budget_of(house))

    run(story())


def test_a_failure_in_a_paused_execution_is_judged_when_it_goes_on():
    async def story():
        house = House()

        async def pauses(request):
            (key,) = [key for key in house.facts._images if key.is_head]
            await house.door.pause("main", key.execution)
            return GONE

        house.http.answers["/a"] = pauses
        entered = await house.enter("""
flow: held
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b"}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell"}}
""")
        await house.drain(idle_minutes=60)
        image = await house.image(entered.execution)
        assert image.status is Status.PAUSED
        assert urls(house) == ["/a"]
        await house.door.resume("main", entered.execution)
        await house.drain(idle_minutes=5)
        assert (await house.image(entered.execution)).status is Status.FAILED
        assert urls(house) == ["/a", "/tell"]

    run(story())


def test_a_redrive_asks_what_lies_below_it_under_a_new_key_where_a_worker_vanished_there_too():
    async def story():
        house = House()
        house.http.answers["/a"] = [{"n": 1}, {"n": 5}]
        entered = await house.enter("""
flow: line
steps:
  a: {uses: http.request, effect: idempotent, with: {method: PUT, url: "https://api.example/a"}}
  b:
    uses: http.request
    effect: idempotent
    with: {method: POST, url: "https://api.example/b", json: {n: "${ steps.a.body.n }"}}
  c: {uses: fail, after: b, with: {message: "no"}}
""")
        key = RecordKey("main", entered.execution)
        image = house.facts._images[key]
        assert image.status is Status.FAILED
        # A worker vanished after it had asked: its claim is all that is there of `b`.
        now = to_milliseconds(house.clock.now())
        facts = {**image.facts, "f1": Claimed("gone", now - 1, 1)}
        house.facts._images[key] = replace(image, facts=facts)
        await house.door.redrive("main", entered.execution, step="a")
        await house.drain(idle_minutes=2)
        asked = [each for each in house.http.sent if each.url.endswith("/b")]
        assert [json.loads(each.body) for each in asked] == [{"n": 1}, {"n": 5}]
        first, second = (dict(each.headers)["Idempotency-Key"] for each in asked)
        assert second == f"{first}.r1"

    run(story())


class EndsElsewhere(MemoryFacts):
    """Memory, in which another worker ends a loop just before its page is turned here."""

    async def write(self, write):
        for name, put in write.puts.items():
            if write.key.is_head and isinstance(put.fact, Waiting) and put.fact.detail == "1":
                image = self._images[write.key]
                done = Done(How.SUCCEEDED, "done", 1, image.facts[name].since)
                self._images[write.key] = replace(image, facts={**image.facts, name: done}, rev=image.rev + 1)
        return await super().write(write)


def test_no_round_begins_in_the_old_page_of_a_repeat_that_somebody_else_has_ended():
    async def story():
        house = House(facts=EndsElsewhere())
        entered = await house.enter("""
flow: rounds
steps:
  again:
    uses: repeat
    with: {until: "${ round >= 60 }", max: 100}
    steps:
      act: {uses: http.request, with: {method: POST, url: "https://api.example/act/${ round }"}}
""")
        await house.drain(idle_minutes=2)
        assert (await house.image(entered.execution)).status is Status.SUCCEEDED
        assert urls(house) == [f"/act/{number}" for number in range(1, 51)]

    run(story())


def test_two_deployments_in_one_process_share_no_items():
    async def story():
        for count in (700, 1400):  # the same execution, by its id, in another store
            house = House()
            entered = await house.enter(WIDE % "", {"rows": list(range(count))}, respond="accepted")
            await house.drain(5_000, idle_minutes=2)
            assert (await house.details(entered.execution)).output["n"] == count

    run(story())

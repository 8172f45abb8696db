"""Wide loops whose bodies wait, call, loop and fail; and loops that are more than can be held."""

import json
from datetime import timedelta

import pytest

from chalicelib.engine.facts import Claimed, Marked
from chalicelib.engine.records import Status
from chalicelib.ports import HttpAnswer, Signal
from tests.worker.house import House, run, urls


def parts(house, execution):
    return {key.part: image for key, image in house.facts._images.items() if key.execution == execution and key.part}


async def finished(house, entered, minutes=5, most=5_000):
    await house.drain(most, idle_minutes=minutes)
    details = await house.details(entered.execution)
    assert details.image.status is Status.SUCCEEDED, details.image.reason
    return details


def test_a_wide_body_may_wait_for_long():
    async def story():
        house = House()
        entered = await house.enter(
            """
flow: naps
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 30}
    steps:
      nap: {uses: wait, with: {for: 2d}}
      put: {uses: http.request, after: nap, with: {method: POST, url: "https://api.example/put/${ item }"}}
    output: "${ steps.put.body.path }"
output: "${ steps.each.results }"
""",
            {"rows": list(range(30))},
            respond="accepted",
        )
        await house.drain(500, idle_minutes=60)
        assert house.http.sent == []
        details = await finished(house, entered, minutes=3 * 24 * 60)
        assert details.output == [f"/put/{n}" for n in range(30)]
        assert len(house.http.sent) == 30

    run(story())


def test_a_wide_body_may_wait_for_answers_and_each_wakes_its_own_chunk():
    async def story():
        house = House()
        entered = await house.enter(
            """
flow: asks
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 100}
    steps:
      tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell/${ item }", json: {link: "${ execution.links.ask }"}}}
      ask: {uses: callback, after: tell, with: {expires: 10d}}
    output: "${ steps.ask.body ?? 'late' }"
output: "${ steps.each.results }"
""".replace("steps.ask.body ?? 'late'", "steps.good.v ?? 'late'").replace(
                "    output:",
                '      good: {uses: set, after: ask.received, with: {v: "${ steps.ask.body }"}}\n    output:',
            ),
            {"rows": list(range(25))},
            respond="accepted",
        )
        await house.drain(500, idle_minutes=2)
        assert len(house.http.sent) == 25
        for sent in house.http.sent:
            link = await house.door.read_link(json.loads(sent.body)["link"].rpartition("/")[2])
            assert link.part.startswith("each/b")
            if link.path != (7,):
                await house.door.signal(
                    link, Signal("received", {"body": link.path[0], "headers": {}, "query": {}, "method": "POST"})
                )
        await house.drain(500, idle_minutes=2)
        assert (await house.image(entered.execution)).status is Status.RUNNING
        details = await finished(house, entered, minutes=11 * 24 * 60)
        assert details.output == [n if n != 7 else "late" for n in range(25)]

    run(story())


def test_a_wide_body_may_call_other_flows_and_wait_for_them():
    async def story():
        house = House()
        await house.publish("""
flow: half
inputs: {n: {type: number}}
steps:
  nap: {uses: wait, with: {for: 20m}}
output: "${ inputs.n / 2 }"
""")
        entered = await house.enter(
            """
flow: calls
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 25}
    steps:
      go: {uses: call, with: {flow: half, wait: true, inputs: {n: "${ item }"}}}
    output: "${ steps.go }"
output: "${ steps.each.results }"
""",
            {"rows": list(range(0, 50, 2))},
            respond="accepted",
        )
        details = await finished(house, entered, minutes=120)
        assert details.output == list(range(25))
        assert len([key for key in house.facts._images if key.is_head]) == 26

    run(story())


def test_a_cancel_of_a_wide_loop_reaches_what_its_turns_called():
    async def story():
        house = House()
        await house.publish("""
flow: slow
steps:
  nap: {uses: wait, with: {for: 20d}}
""")
        entered = await house.enter(
            """
flow: calls
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 25}
    steps:
      go: {uses: call, with: {flow: slow, wait: true}}
""",
            {"rows": list(range(25))},
            respond="accepted",
        )
        await house.drain(500, idle_minutes=3)
        await house.door.cancel("main", entered.execution, "enough")
        await house.drain(500, idle_minutes=10)
        heads = [image for key, image in house.facts._images.items() if key.is_head]
        begun = [image for image in heads if image.key.execution != entered.execution]
        assert 10 <= len(begun) <= 25
        assert {image.status for image in heads} == {Status.CANCELLED}

    run(story())


def test_a_loop_inside_a_wide_one_runs_within_its_turn():
    async def story():
        house = House()
        entered = await house.enter(
            """
flow: nested
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 30}
    steps:
      inner:
        uses: foreach
        with: {over: [1, 2, 3], as: n}
        steps:
          put: {uses: http.request, with: {method: POST, url: "https://api.example/put/${ item }/${ n }"}}
      again:
        uses: repeat
        after: inner
        with: {until: "${ round = 2 }", max: 3}
        steps:
          more: {uses: http.request, with: {method: PUT, url: "https://api.example/more/${ item }/${ round }"}}
        output: "${ round }"
    output: {inner: "${ steps.inner.count }", rounds: "${ steps.again }"}
output: "${ steps.each.results }"
""",
            {"rows": list(range(22))},
            respond="accepted",
        )
        details = await finished(house, entered)
        assert details.output == [{"inner": 3, "rounds": 2}] * 22
        assert len(house.http.sent) == len(set(urls(house))) == 22 * 5

    run(story())


def test_at_most_once_in_a_wide_body_is_never_sent_twice_whoever_runs_it():
    async def story():
        house = House()
        entered = await house.enter(
            """
flow: once
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 100, tolerate: 100%}
    steps:
      pay: {uses: http.request, effect: at_most_once, with: {method: POST, url: "https://api.example/pay/${ item }"}}
output: {n: "${ steps.each.count }", failed: "${ [steps.each.failed.index] }"}
""",
            {"rows": list(range(30))},
            respond="accepted",
        )
        await house.drain(1, idle_minutes=1, sweeps=False)
        for _ in range(6):  # every message twice, one after the other
            for each in await house.queue.receive(10, 0):
                from chalicelib.worker.deliver import deliver
                from tests.worker.house import budget_of

                await deliver(house.tools, each.message, budget_of(house))
                await deliver(house.tools, each.message, budget_of(house))
                await house.queue.acknowledge([each])
        details = await finished(house, entered)
        assert details.output == {"n": 30, "failed": []}
        assert len(house.http.sent) == len(set(urls(house))) == 30
        for image in parts(house, entered.execution).values():
            assert not any(isinstance(fact, Claimed) for fact in image.facts.values())
        marks = parts(house, entered.execution)["each/r"].facts
        assert [fact for fact in marks.values() if not isinstance(fact, Marked)] == []

    run(story())


@pytest.mark.parametrize(
    ("rows", "code"),
    [(["x" * 1_000_000] * 33, "too_large"), ([0] * 100_001, "parameter")],
    ids=["33 MB", "100,001 items"],
)
def test_a_loop_over_more_than_can_be_held_fails_by_name(rows, code):
    async def story():
        house = House()
        entered = await house.enter(
            """
flow: much
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }"}
    steps:
      put: {uses: http.request, with: {method: PUT, url: "https://api.example/put"}}
""",
            {"rows": rows},
            respond="accepted",
        )
        await house.drain(20, idle_minutes=1)
        image = await house.image(entered.execution)
        assert (image.status, image.reason.step, image.reason.code) == (Status.FAILED, "each", code)
        assert house.http.sent == []

    run(story())


def test_a_retry_that_is_far_off_in_a_wide_body_is_not_lost():
    async def story():
        house = House()
        house.http.answers["/put/13"] = [HttpAnswer(503, (), b""), {"path": "/put/13"}]
        entered = await house.enter(
            """
flow: retried
inputs: {rows: {type: array}}
steps:
  each:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 30}
    steps:
      put: {uses: http.request, retry: {attempts: 2, first: 5h, cap: 5h}, with: {method: POST, url: "https://api.example/put/${ item }"}}
    output: "${ steps.put.body.path }"
output: "${ steps.each.results }"
""",
            {"rows": list(range(30))},
            respond="accepted",
        )
        began = house.clock.now()
        details = await finished(house, entered, minutes=10 * 60)
        assert details.output == [f"/put/{n}" for n in range(30)]
        assert len(house.http.sent) == 31
        assert house.clock.now() - began < timedelta(hours=20)

    run(story())

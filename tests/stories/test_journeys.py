"""Whole journeys: from a request at the API to what is stored, shown and sent."""

import asyncio
import json
import logging
from base64 import b64encode
from datetime import timedelta

import pytest

from chalicelib.ports import HttpAnswer
from chalicelib.worker.ticks import Ticks
from tests.stories.place import CANARY, KINDS, a_place

FLOW = """
flow: orders
inputs: {total: {type: number}}
triggers:
  placed:
    uses: webhook
    verify: {scheme: standard-webhooks, credential: hook}
    respond: RESPOND
    inputs: {total: "${ trigger.body.total }"}
steps:
  stock: {uses: http.request, with: {url: "https://api.example/stock"}}
  say: {uses: respond, after: stock, with: {status: 201, json: {total: "${ inputs.total }"}}}
  book: {uses: http.request, after: say, with: {method: POST, url: "https://api.example/book", json: {total: "${ inputs.total }"}}}
output: {total: "${ inputs.total }", booked: "${ steps.book.body.path }"}
"""
BIG = 9_007_199_254_740_993_123


def story(kind, path, tell):
    async def whole():
        async with a_place(kind, path) as place:
            await tell(place)

    asyncio.run(whole())


def flow(respond):
    """The flow for one way of answering; a `respond` step only where somebody listens."""
    text = FLOW.replace("RESPOND", respond)
    return (
        text
        if respond == "step"
        else text.replace(
            'uses: respond, after: stock, with: {status: 201, json: {total: "${ inputs.total }"}}',
            "uses: set, after: stock, with: {v: 1}",
        )
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("respond", ["accepted", "result", "step"])
def test_a_signed_webhook_becomes_a_finished_execution(kind, respond, tmp_path):
    async def tell(place):
        await place.publish(flow(respond))
        body = b'{"total": %d}' % BIG
        first = await place.hook("orders/placed", body)
        again = await place.hook("orders/placed", body)
        if respond == "accepted":
            assert first.status == 202
            execution = json.loads(first.body)["execution"]
            assert json.loads(again.body)["execution"] == execution
        elif respond == "result":
            assert (first.status, json.loads(first.body)) == (200, {"total": BIG, "booked": "/book"})
        else:
            assert (first.status, json.loads(first.body)) == (201, {"total": BIG})
        await place.settle()
        last = await place.hook("orders/placed", body)
        if respond != "accepted":
            assert (last.status, last.body) == (first.status, first.body), "the first answer, once more"
            assert (again.status, again.body) == (first.status, first.body)
        other = await place.hook("orders/placed", b'{"total": 2}')
        assert (other.status, json.loads(other.body)["code"]) == (409, "delivery_conflict")
        _, listed = await place.rest("GET", "executions?flow=orders")
        (only,) = listed["items"] if "items" in listed else listed["executions"]
        details = await place.execution(only["id"] if "id" in only else only["execution"])
        assert details["status"] == "succeeded"
        assert details["output"]["total"] == BIG, "exact through plain paths"
        (post,) = [each for each in place.http.sent if each.method == "POST"]
        assert post.body == b'{"total":%d}' % BIG

    story(kind, tmp_path, tell)


@pytest.mark.parametrize("kind", KINDS)
def test_a_disabled_flow_takes_nothing_and_what_is_refused_starts_nothing(kind, tmp_path):
    async def tell(place):
        await place.publish(flow("accepted"))
        wrong = await place.send("POST", "/hooks/orders/placed", b"{}", {"webhook-id": "a"})
        assert wrong.status == 401
        deep = await place.hook("orders/placed", b"[" * 2_000 + b"]" * 2_000, "msg_deep")
        assert (deep.status, json.loads(deep.body)["code"]) == (400, "body_unreadable")
        lone = await place.hook("orders/placed", b'{"total": 1, "x": "\\ud800"}', "msg_lone")
        assert lone.status == 400
        broken = await place.hook("orders/placed", b'{"total": ', "msg_broken")
        assert broken.status == 400
        status, _ = await place.rest("POST", "flows/orders/disable")
        assert status in {200, 204}
        refused = await place.hook("orders/placed", b'{"total": 1}', "msg_2")
        assert json.loads(refused.body)["code"] == "flow_disabled"
        await place.settle()
        assert place.http.sent == []
        status, _ = await place.rest("POST", "flows/orders/enable")
        taken = await place.hook("orders/placed", b'{"total": 1}', "msg_3")
        assert taken.status == 202

    story(kind, tmp_path, tell)


@pytest.mark.parametrize("kind", KINDS)
def test_a_late_respond_still_reaches_the_sender(kind, tmp_path):
    async def tell(place):
        text = flow("step").replace("after: stock, with: {status", "after: [stock, nap], with: {status")
        await place.publish(text.replace("steps:\n", "steps:\n  nap: {uses: wait, with: {for: 10m}}\n"))
        asked = asyncio.ensure_future(place.hook("orders/placed", b'{"total": 5}'))
        while not (await place.store.facts.unfinished(10)):
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        await place.settle()
        answer = await asked
        if kind == "lambda":
            assert answer.status == 202, "nothing goes on after the answer there"
        else:
            assert (answer.status, json.loads(answer.body)) == (201, {"total": 5})
        again = await place.hook("orders/placed", b'{"total": 5}')
        assert (again.status, json.loads(again.body)) == (201, {"total": 5})

    story(kind, tmp_path, tell)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_starts_each_planned_moment_once(kind, tmp_path):
    async def tell(place):
        await place.publish("""
flow: nightly
triggers: {night: {uses: schedule, with: {cron: "5 7 * * *"}}}
steps: {note: {uses: set, with: {at: "${ trigger.at }"}}}
output: "${ steps.note.at }"
""")
        ticks = Ticks(place.door, place.plans, place.store.facts, place.clock)
        planned = place.now + 300_000
        place.clock.time += timedelta(minutes=6)
        (first,) = (await ticks.come("main", "nightly", "night", planned)).executions
        assert (await ticks.come("main", "nightly", "night", planned)).executions == (first,)
        assert (await ticks.come("main", "nightly", "night", planned + 60_000)).executions == (), "not its moment"
        await place.settle()
        assert (await place.execution(first))["output"] == "2026-11-20T07:05:00.000Z"
        _, told = await place.rest("GET", "executions?flow=nightly")
        assert [each["id"] for each in told["items"]] == [first]

    story(kind, tmp_path, tell)


@pytest.mark.parametrize("kind", KINDS)
def test_run_by_hand_cancel_and_retry(kind, tmp_path):
    async def tell(place):
        await place.publish("""
flow: slow
inputs: {n: {type: number}}
steps:
  nap: {uses: wait, with: {for: 15m}}
  post: {uses: http.request, after: nap, with: {method: POST, url: "https://api.example/post", json: {n: "${ inputs.n }"}}}
output: "${ inputs.n }"
""")
        status, started = await place.rest("POST", "flows/slow/run", {"inputs": {"n": 7}})
        assert status in {200, 201, 202}, started
        execution = started["execution"]
        if place.background is not None:
            await asyncio.wait(set(place.background.tasks))
        else:
            (start,) = await place.store.queue.receive(1, 0)
            from chalicelib.worker.budget import Budget
            from chalicelib.worker.listener import work_off

            assert await work_off(place.tools, start, Budget(place.now + 840_000)) is None
            await place.store.queue.acknowledge([start])
        before = place.clock.now()
        status, told = await place.rest("POST", f"executions/{execution}/cancel")
        assert status in {200, 202}, told
        received = await place.store.queue.receive(5, 0)
        for each in received:
            from chalicelib.worker.budget import Budget
            from chalicelib.worker.listener import work_off

            assert await work_off(place.tools, each, Budget(place.now + 840_000)) is None
            await place.store.queue.acknowledge([each])
        details = await place.execution(execution)
        assert details["status"] == "cancelled"
        assert (place.clock.now() - before).total_seconds() < 60, "at once, not when the wait is over"
        status, told = await place.rest("POST", f"executions/{execution}/cancel")
        assert status == 409
        assert place.http.sent == []
        status, told = await place.rest("POST", f"executions/{execution}/retry")
        assert status in {200, 201, 202}, told
        await place.settle()
        again = await place.execution(told["execution"])
        assert (again["status"], again["output"]) == ("succeeded", 7)
        assert (await place.execution(execution))["status"] == "cancelled"

    story(kind, tmp_path, tell)


@pytest.mark.parametrize("kind", KINDS)
def test_large_values_lone_surrogates_and_calls(kind, tmp_path):
    async def tell(place):
        place.http.answers["/big"] = {"text": "x" * 600_000, "n": BIG}
        place.http.answers["/odd"] = HttpAnswer(200, (("content-type", "application/json"),), b'{"text": "\\ud83d"}')
        await place.publish(
            "flow: child\ninputs: {text: {type: string}, more: {type: number, default: 4}}\nsteps:\n  a: {uses: set, with: {more: '${ inputs.more }', size: '${ $length(inputs.text) }'}}\noutput: '${ steps.a }'\n"
        )
        await place.publish("""
flow: large
steps:
  get: {uses: http.request, with: {url: "https://api.example/big"}}
  odd: {uses: http.request, on_error: continue, with: {url: "https://api.example/odd"}}
  call: {uses: call, with: {flow: child, inputs: {text: "${ steps.get.body.text }"}}}
output: {n: "${ steps.get.body.n }", text: "${ steps.get.body.text }", child: "${ steps.call.id }"}
""")
        status, started = await place.rest("POST", "flows/large/run", {})
        assert status in {200, 201, 202}, started
        await place.settle()
        details = await place.execution(started["execution"])
        assert details["status"] == "succeeded", details
        assert details["output"]["n"] == BIG
        assert details["output"]["text"] == "x" * 600_000
        child = await place.execution(details["output"]["child"])
        assert child["output"] == {"more": 4, "size": 600_000}, "a call fills in the defaults that the child declares"

    story(kind, tmp_path, tell)


def spellings():
    from urllib.parse import quote

    inner = b64encode(f"xx{CANARY}".encode()).decode()
    return {
        "plain": CANARY,
        "url": quote(CANARY, safe=""),
        "lower": quote(CANARY, safe="").lower(),
        "base64": b64encode(CANARY.encode()).decode(),
        "basic": b64encode(f"ann:{CANARY}".encode()).decode(),
        "inside": inner,
        "hex": CANARY.encode().hex(),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_is_nowhere_however_a_service_echoes_it(kind, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)

    async def tell(place):
        async def echo(request):
            sent = dict(request.headers).get("Authorization", "")
            return HttpAnswer(
                200,
                (("content-type", "application/json"), ("x-echo", sent)),
                json.dumps({"sent": sent, **spellings()}).encode(),
            )

        async def complain(request):
            return HttpAnswer(
                403, (("content-type", "application/json"),), json.dumps({"message": f"bad token {CANARY}"}).encode()
            )

        place.http.answers |= {"/echo": echo, "/complain": complain, "/later": echo}
        await place.publish("""
flow: secretive
steps:
  one: {uses: http.request, credential: api, with: {url: "https://api.example/echo"}}
  two: {uses: http.request, credential: person, with: {url: "https://api.example/echo"}}
  shown: {uses: set, with: {all: "${ steps.one.body }"}}
  nap: {uses: wait, after: [one, two], with: {for: 10m}}
  later: {uses: http.request, after: nap, with: {url: "https://api.example/later"}}
  bad: {uses: http.request, after: later, credential: api, with: {url: "https://api.example/complain"}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell", json: {why: "${ failure.message }"}}}
output: "${ steps.shown }"
""")
        _, started = await place.rest("POST", "flows/secretive/run", {})
        await place.settle()
        answer = await place.rest("GET", f"executions/{started['execution']}")
        assert answer[1]["status"] == "failed"
        seen = [json.dumps(answer), *(each.body.decode() for each in place.http.sent)]
        seen += [record.getMessage() + repr(record.__dict__) for record in caplog.records]
        if kind == "sqlite":
            await place.background.stop()
            for file in tmp_path.iterdir():
                seen.append(file.read_bytes().decode("utf-8", "replace"))
        else:
            seen.append(place.store.everything())
        core = b64encode(f"x{CANARY}".encode()).decode()[4:-4]
        for form in {*spellings().values(), core}:
            assert not any(form in text for text in seen), f"the secret is somewhere, as {form}"
        assert "***" in seen[0]

    story(kind, tmp_path, tell)

"""Steps that wait, from the outside, with the real door and the real worker behind the API."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from chalicelib.api.request import read_query
from chalicelib.worker.budget import Budget
from chalicelib.worker.listener import work_off
from tests.api.test_approvals import BROWSER, FORM, Page, altered
from tests.stories.place import KINDS, a_place

BASE = "https://penstock.example"
ASKING = """\
flow: asking
inputs: {who: {type: string, default: Ann}}
steps:
  ask: {uses: approval, name: Ship it, with: {ask: "Ship to ${ inputs.who }?", by: [Ann, Bo], expires: 2d}}
  ship: {uses: set, after: ask.approved, with: {by: "${ steps.ask.by }", comment: "${ steps.ask.comment }"}}
  keep: {uses: set, after: {any: [ask.rejected, ask.expired]}, with: {kept: true}}
output: {shipped: "${ steps.ship ?? null }", kept: "${ steps.keep.kept ?? false }"}
"""
CALLED = """\
flow: called
steps:
  tell: {uses: set, with: {link: "${ execution.links.paid }"}}
  paid: {uses: callback, with: {expires: 1h, heartbeat: 10m}}
  note: {uses: set, after: paid.received, with: {body: "${ steps.paid.body }", method: "${ steps.paid.method }"}}
  late: {uses: set, after: paid.expired, with: {late: true}}
output: "${ steps.note ?? steps.late }"
"""
PLAIN = "flow: plain\nsteps:\n  a: {uses: set, with: {x: 1}}\n"


@asynccontextmanager
async def opened(kind, path, *texts):
    async with a_place(kind, path) as place:
        for text in texts:
            await place.publish(text)
        yield place


async def started(place, flow, body=b""):
    status, told = await place.rest("POST", f"flows/{flow}/run", body)
    assert status == 202, told
    await rest(place)
    return told["execution"]


async def rest(place):
    """Work off what is due now; time stands still."""
    for _ in range(5):
        if place.background is not None and place.background.tasks:
            await asyncio.wait(set(place.background.tasks))
        for each in await place.store.queue.receive(10, 0):
            delay = await work_off(place.tools, each, Budget(place.now + 840_000))
            if delay is None:
                await place.store.queue.acknowledge([each])
            else:
                await place.store.queue.fail(each, delay)


async def link_of(place, execution, step):
    shown = await place.execution(execution)
    (found,) = [each for each in shown["steps"] if each["id"] == step]
    assert found["status"] == "waiting", found
    return found["link"].removeprefix(BASE)


async def form(place, path, **fields):
    return await place.send("POST", path, urlencode(fields).encode(), {**FORM, **BROWSER})


@pytest.mark.parametrize("kind", KINDS)
def test_an_approval_is_asked_answered_once_and_gone_on_with(kind, tmp_path):
    async def journey():
        async with opened(kind, tmp_path, ASKING) as place:
            execution = await started(place, "asking")
            path = await link_of(place, execution, "ask")
            page = Page(await place.send("GET", path, headers=BROWSER))
            assert "Ship to Ann?" in page.text
            assert "Ship it" in page.text
            assert [each["value"] for each in page.all("option")] == ["", "Ann", "Bo"]
            assert (await form(place, path, decision="approved", by="Mallory")).status == 422
            for wrong in altered(path):
                assert (await form(place, wrong, decision="approved", by="Ann")).status == 404
            assert (await form(place, path, decision="approved", by="Ann", comment="Go")).status == 200
            assert (await form(place, path, decision="rejected", by="Bo")).status == 409
            await place.settle()
            assert (await form(place, path, decision="rejected", by="Bo")).status == 409
            shown = await place.execution(execution)
            assert (shown["status"], shown["output"]) == (
                "succeeded",
                {"shipped": {"by": "Ann", "comment": "Go"}, "kept": False},
            )

    asyncio.run(journey())


def test_an_approval_that_nobody_answered_has_expired():
    async def journey():
        async with opened("lambda", None, ASKING) as place:
            execution = await started(place, "asking")
            path = await link_of(place, execution, "ask")
            place.clock.time += timedelta(days=2, seconds=1)
            assert (await form(place, path, decision="approved", by="Ann")).status == 410
            assert (await place.send("GET", path, headers=BROWSER)).status == 410

    asyncio.run(journey())


def test_an_approval_is_answered_with_a_key_and_shows_who_did():
    async def journey():
        async with opened("lambda", None, ASKING) as place:
            execution = await started(place, "asking")
            path = f"executions/{execution}/steps/ask/answer"
            assert (await place.rest("POST", path, {"port": "received"}))[0] == 400
            assert (await place.rest("POST", f"executions/{execution}/steps/ship/answer", {"port": "approved"}))[
                0
            ] == 404
            status, told = await place.rest("POST", path, {"port": "rejected", "comment": "No"})
            assert (status, told["execution"]) == (200, execution)
            assert (await place.rest("POST", path, {"port": "approved"}))[1]["code"] == "link_used"
            await place.settle()
            shown = await place.execution(execution)
            assert shown["output"] == {"shipped": None, "kept": True}
            (ask,) = [each for each in shown["steps"] if each["id"] == "ask"]
            assert (ask["output"]["via"], ask["output"]["comment"]) == ("api", "No")
            assert ask["output"]["by"].startswith("key_")
            assert (await place.rest("POST", path, {"port": "approved"}))[0] == 409

    asyncio.run(journey())


@pytest.mark.parametrize("kind", KINDS)
def test_a_callback_is_answered_by_the_address_that_a_step_sent_on(kind, tmp_path):
    async def journey():
        async with opened(kind, tmp_path, CALLED) as place:
            execution = await started(place, "called")
            shown = await place.execution(execution)
            path = await link_of(place, execution, "paid")
            assert shown["steps"][0]["output"] == {"link": BASE + path}
            assert (await place.send("GET", path)).status == 405
            beat = await place.send("POST", f"{path}/heartbeat")
            assert beat.status == 200, beat.body
            answer = await place.send("PUT", path, {"ok": True})
            assert (answer.status, json.loads(answer.body)) == (200, {"received": True})
            assert (await place.send("POST", path, b"again")).status == 409
            assert (await place.send("POST", f"{path}/heartbeat")).status == 409
            await place.settle()
            shown = await place.execution(execution)
            assert shown["output"] == {"body": {"ok": True}, "method": "PUT"}
            assert (await place.send("POST", path, b"late")).status == 409

    asyncio.run(journey())


def test_what_has_been_cancelled_is_answered_no_more_and_can_be_redriven():
    async def journey():
        async with opened("lambda", None, ASKING) as place:
            execution = await started(place, "asking")
            path = await link_of(place, execution, "ask")
            assert (await place.rest("POST", f"executions/{execution}/redrive"))[1]["code"] == "execution_ongoing"
            assert (await place.rest("POST", f"executions/{execution}/cancel"))[0] == 200
            ended = await place.send("POST", path, {"decision": "approved", "by": "Ann"})
            assert (ended.status, json.loads(ended.body)["code"]) == (409, "execution_ended")
            await place.settle()
            assert (await place.execution(execution))["status"] == "cancelled"
            status, told = await place.rest("POST", f"executions/{execution}/redrive", {"force": False})
            assert (status, told.get("status")) == (200, "running"), told
            await rest(place)
            again = await link_of(place, execution, "ask")
            assert (await form(place, again, decision="approved", by="Bo")).status == 200
            await place.settle()
            assert (await place.execution(execution))["output"]["shipped"] == {"by": "Bo", "comment": ""}

    asyncio.run(journey())


def test_a_paused_execution_takes_an_answer_and_goes_on_once_it_is_resumed():
    async def journey():
        async with opened("lambda", None, ASKING) as place:
            execution = await started(place, "asking")
            path = await link_of(place, execution, "ask")
            assert (await place.rest("POST", f"executions/{execution}/pause"))[1]["status"] == "paused"
            listed = (await place.rest("GET", "executions?status=paused"))[1]["items"]
            assert [each["id"] for each in listed] == [execution]
            assert (await form(place, path, decision="approved", by="Ann")).status == 200
            await rest(place)
            assert (await place.execution(execution))["status"] == "paused"
            assert (await place.rest("POST", f"executions/{execution}/resume"))[1]["status"] == "running"
            await place.settle()
            assert (await place.execution(execution))["status"] == "succeeded"
            for verb in ("pause", "resume"):
                assert (await place.rest("POST", f"executions/{execution}/{verb}"))[1]["code"] == "execution_ended"

    asyncio.run(journey())


@pytest.mark.parametrize("kind", KINDS)
def test_a_paused_flow_queues_what_it_starts_and_wakes_it(kind, tmp_path):
    async def journey():
        async with opened(kind, tmp_path, PLAIN) as place:
            assert (await place.rest("POST", "flows/plain/pause"))[1]["paused"] is True
            status, told = await place.rest("POST", "flows/plain/run?wait=5")
            assert (status, told["status"]) == (202, "queued")
            await rest(place)
            assert (await place.execution(told["execution"]))["status"] == "queued"
            assert (await place.rest("GET", "executions?status=queued"))[1]["items"][0]["id"] == told["execution"]
            resumed = (await place.rest("POST", "flows/plain/resume"))[1]
            assert (resumed["paused"], resumed["woken"]) == (False, 1)
            await place.settle()
            assert (await place.execution(told["execution"]))["status"] == "succeeded"

    asyncio.run(journey())


LOOP = """\
flow: loop
steps:
  rows:
    uses: foreach
    with: {over: "${ [1, 2] }"}
    steps:
      send: {uses: http.request, with: {url: "https://bank.example/pay", query: {n: "${ item }", to: "${ execution.links.paid }"}}}
      paid: {uses: callback, after: send, with: {expires: 1d}}
    output: "${ steps.paid.body }"
output: "${ steps.rows.results }"
"""


def test_a_step_in_a_loop_is_answered_turn_by_turn_by_links_and_with_a_key():
    async def journey():
        async with opened("lambda", None, LOOP) as place:
            execution = await started(place, "loop")
            queries = [dict(read_query(call.url.partition("?")[2])) for call in place.http.sent]
            sent = {query["n"]: query["to"] for query in queries}  # turns run concurrently: in whatever order
            first, second = (sent[n].removeprefix(BASE) for n in "12")
            assert first != second
            route = f"executions/{execution}/steps/paid/answer"
            assert (await place.rest("POST", route, {"port": "received", "value": "x"}))[0] == 404
            told = await place.rest("POST", route, {"port": "received", "value": "by key", "link": sent["2"]})
            assert told[0] == 200, told
            assert (await place.send("POST", second, b"late")).status == 409
            assert (await place.send("POST", first, b"by link")).status == 200
            await place.settle()
            assert (await place.execution(execution))["output"] == ["by link", "by key"]

    asyncio.run(journey())

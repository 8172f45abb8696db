"""Independent steps really run at once: seen at the server they call, not guessed from how long it took."""

import asyncio

from chalicelib import catalogue
from chalicelib.engine.records import Status
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.flow.text import read_yaml
from chalicelib.ports import Knock, Live
from chalicelib.wiring import Embedded, EmbeddedSettings
from chalicelib.worker.budget import to_milliseconds
from tests.stub import Answer, Stub

DIAMOND = """
flow: diamond
steps:
  a: {uses: set, with: {v: 1}}
  left: {uses: http.request, with: {url: "URL/left?v=${ steps.a.v }"}}
  right: {uses: http.request, with: {method: METHOD, url: "URL/right?v=${ steps.a.v }"}}
  join: {uses: set, with: {left: "${ steps.left.body.side }", right: "${ steps.right.body.side }"}}
output: "${ steps.join }"
"""


async def started(embedded, text):
    """Publish the flow and start it; the task that waits for its result."""
    data = read_yaml(text, "diamond.yaml").data
    plan = make_plan(data, catalogue.entries())
    version, canonical = version_of(data)
    await embedded.store.versions.put("main", plan.flow, version, canonical, 0)
    await embedded.store.versions.set_live(Live("main", plan.flow, version, enabled=True, published=0, rev=1))
    now = to_milliseconds(embedded.clock.now())
    return asyncio.create_task(embedded.door.enter(Knock("main", plan, None, None, {}, "result", now)))


async def both_sides_at_once(folder, method):
    async with Stub() as stub:
        gate = asyncio.Event()
        for side in ("left", "right"):
            stub.answer(f"/{side}", Answer.of_json({"side": side}, hold=gate, delay=0.05))
        settings = EmbeddedSettings(folder / "store.db", "http://penstock.example", {}, allow_private=("127.0.0.1/32",))
        embedded = await Embedded.open(settings)
        try:
            await embedded.start()
            waiting = await started(embedded, DIAMOND.replace("URL", stub.url).replace("METHOD", method))
            # Neither is answered before both have come: a flow that called one after the other would wait here for ever.
            await stub.until_in_flight(2)
            assert sorted(request.path for request in stub.requests) == ["/left", "/right"]
            gate.set()
            entered = await waiting
            assert entered.image.status is Status.SUCCEEDED
            assert entered.output == {"left": "left", "right": "right"}
            assert stub.most_in_flight == 2
            assert len(stub.requests) == 2
        finally:
            await embedded.close()


def test_two_reads_of_a_diamond_are_in_flight_at_once(tmp_path):
    asyncio.run(both_sides_at_once(tmp_path, "GET"))


def test_a_leased_step_is_in_flight_beside_a_read(tmp_path):
    asyncio.run(both_sides_at_once(tmp_path, "POST"))

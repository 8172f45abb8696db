"""kill -9 of `penstock dev` with twenty executions in flight: all finish after a restart, and nothing is done twice."""

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path

import httpx
import pytest

from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.engine.facts import Claimed, Done, fact_name
from chalicelib.engine.records import RecordKey
from tests.dev_server import CREDENTIAL, DevServer, dev_server, signed, until
from tests.stub import Answer, Seen, stub_in_thread

COUNT = 20
FLOW = """
flow: kill-story
inputs: {{n: {{type: integer}}}}
triggers:
  knock:
    uses: webhook
    verify: {{scheme: standard-webhooks, credential: story_hook}}
    inputs: {{n: "${{ trigger.body.n }}"}}
steps:
  order:
    uses: http.request
    with: {{method: POST, url: "{url}/order", json: {{n: "${{ inputs.n }}"}}}}
  pay:
    uses: http.request
    after: order
    effect: at_most_once
    with: {{method: POST, url: "{url}/pay", json: {{n: "${{ inputs.n }}"}}}}
  look:
    uses: http.request
    after: order
    with: {{url: "{url}/look", query: {{n: "${{ inputs.n }}"}}}}
  unsure:
    uses: set
    after: pay.error
    with: {{paid: unsure}}
  tell:
    uses: http.request
    after: {{any: [pay, unsure]}}
    with:
      method: POST
      url: "{url}/tell"
      json: {{n: "${{ inputs.n }}", looked: "${{ steps.look.status }}", paid: "${{ steps.unsure.paid ?? 'yes' }}"}}
output: {{n: "${{ inputs.n }}", paid: "${{ steps.unsure.paid ?? 'yes' }}", told: "${{ steps.tell.status }}"}}
"""
STEPS = ("order", "pay", "look", "unsure", "tell")
"""In the order of the file: a step's fact is named by its place."""


def number_of(request: Seen) -> int:
    return int(request.query.removeprefix("n=")) if request.method == "GET" else request.json()["n"]


def counted(requests: list[Seen]) -> Counter[tuple[str, int]]:
    """How often each step of each execution reached the service."""
    return Counter((request.path.removeprefix("/"), number_of(request)) for request in requests)


def begin(dev: DevServer) -> dict[int, str]:
    """Twenty signed deliveries, each accepted; the executions' ids."""
    started: dict[int, str] = {}
    with httpx.Client(trust_env=False, timeout=30) as client:
        for n in range(COUNT):
            body = json.dumps({"n": n}).encode()
            answer = client.post(f"{dev.url}/hooks/kill-story/knock", content=body, headers=signed(body, f"msg_{n}"))
            assert answer.status_code == 202, answer.text
            started[n] = answer.json()["execution"]
    assert len(set(started.values())) == COUNT
    return started


def facts_on_disk(store: Path, started: dict[int, str]) -> dict[tuple[str, int], object]:
    """What the killed server left: each step's fact, read from a copy of its store."""
    copy = store.parent / "copy"
    copy.mkdir()
    for file in store.parent.glob("store.db*"):
        if not file.name.endswith(".lock"):
            shutil.copy(file, copy)

    async def read() -> dict[tuple[str, int], object]:
        opened = await SqliteStore.open(copy / store.name, SystemClock())
        try:
            found: dict[tuple[str, int], object] = {}
            for n, execution in started.items():
                image = await opened.facts.read(RecordKey("main", execution))
                for place, step in enumerate(STEPS):
                    fact = image.facts.get(fact_name(place)) if image is not None else None
                    if fact is not None:
                        found[step, n] = fact
            return found
        finally:
            await opened.close()

    return asyncio.run(read())


def finish(dev: DevServer, started: dict[int, str]) -> dict[int, dict]:
    """Wait for all twenty; as the API shows them."""
    shown: dict[int, dict] = {}
    with httpx.Client(base_url=dev.url, headers=dev.authorization, trust_env=False, timeout=30) as client:

        def all_have_ended() -> bool:
            for n in started.keys() - shown.keys():
                answer = client.get(f"/api/v1/executions/{started[n]}")
                if answer.status_code == 200 and answer.json()["status"] not in {"running", "queued", "ending"}:
                    shown[n] = answer.json()
            return len(shown) == len(started)

        dev.until(all_have_ended, "the end of all twenty executions")
    return shown


def all_that_came(stub) -> list[Seen]:
    """Every request that the killed server sent: what lay in a socket still is read before a later one is answered."""
    with httpx.Client(trust_env=False) as client:
        for _ in range(3):
            client.get(f"{stub.url}/quiet")
    stub.requests[:] = [request for request in stub.requests if request.path != "/quiet"]
    return list(stub.requests)


def hold_each_somewhere(stub, gate):
    """Every execution gets stuck: five at each of the four calls, so that the kill meets them all."""
    for place, step in enumerate(("order", "pay", "look", "tell")):

        def answer(request: Seen, place: int = place) -> Answer:
            return Answer.of_json({"ok": True}, hold=gate if number_of(request) % 4 == place else None)

        stub.answer(f"/{step}", answer)


@pytest.mark.slow
@pytest.mark.parametrize("calls", ["held until after the kill", "a second each"])
def test_after_kill_9_all_executions_finish_and_nothing_is_done_twice(calls, tmp_path, record_property):
    flows, store = tmp_path / "flows", tmp_path / "penstock" / "store.db"
    flows.mkdir()
    with stub_in_thread() as stub:
        (flows / "kill-story.yaml").write_text(FLOW.format(url=stub.url))
        gate = asyncio.Event()
        if calls == "a second each":
            stub.default = Answer.of_json({"ok": True}, delay=1.0)
        else:
            hold_each_somewhere(stub, gate)
        options = {"variables": {"PENSTOCK_CREDENTIAL_STORY_HOOK": CREDENTIAL}}
        private = ("--allow-private", "127.0.0.1/32")
        with dev_server(flows, store, *private, **options) as dev:
            started = begin(dev)
            if calls == "a second each":  # the first calls are answered, and the second ones are under way
                until(lambda: len(stub.requests) >= COUNT + 10, lambda: f"thirty calls; {len(stub.requests)} came")
            else:  # 20 orders; 15 go on to pay and look; 5 of them, both answered, tell; 20 of all are never answered
                until(lambda: stub.in_flight == COUNT, lambda: f"twenty calls in flight; there are {stub.in_flight}")
                until(lambda: len(stub.requests) >= COUNT + 15 + 15 + 5, lambda: f"{len(stub.requests)} calls")
            dev.kill()
        before = all_that_came(stub)
        facts = facts_on_disk(store, started)
        stub.default = Answer.of_json({"ok": True})
        for step in ("order", "pay", "look", "tell"):
            stub.answer(f"/{step}", Answer.of_json({"ok": True}))
        with dev_server(flows, store, *private, **options) as dev:
            shown = finish(dev, started)
            assert dev.stop() == 0
        after = stub.requests[len(before) :]

    committed = {where for where, fact in facts.items() if isinstance(fact, Done)}
    claimed = {where for where, fact in facts.items() if isinstance(fact, Claimed)}
    again, ever = counted(after), counted(stub.requests)
    assert {n: each["status"] for n, each in shown.items()} == dict.fromkeys(range(COUNT), "succeeded")
    assert {where: again[where] for where in committed if again[where]} == {}
    paying = {n for step, n in claimed if step == "pay"}
    assert {n: ever["pay", n] for n in range(COUNT) if ever["pay", n] != 1 and n not in paying} == {}
    assert [n for n in paying if again["pay", n]] == []
    for n, each in shown.items():
        steps = {step["id"]: step for step in each["steps"]}
        assert steps["pay"]["status"] == ("unknown" if n in paying else "succeeded")
        assert each["output"] == {"n": n, "paid": "unsure" if n in paying else "yes", "told": 200}
        # At least once: the first call, and once more if the kill came before its fact.
        for step in ("order", "tell"):
            assert ever[step, n] == 1 + ((step, n) in claimed and counted(before)[step, n] > 0)
    assert paying, "the kill met no payment in flight: it proved nothing"
    assert committed
    record_property(
        "covered",
        f"kill -9, calls {calls}: {len(committed)} facts committed, {len(claimed)} leases held, "
        f"{len(before)} calls before and {len(after)} after; {len(paying)} payments unknown, none repeated",
    )

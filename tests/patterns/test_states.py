"""State, cancellation, iteration, termination, triggers: patterns 11, 16 to 22, 24 to 26, 39, 40, 43."""

import json

import pytest

from chalicelib.engine.records import Status
from chalicelib.errors import LinkExpiredError, LinkUsedError
from chalicelib.ports import HttpAnswer, Listing
from tests.patterns.scene import Scene, run, statuses, text_of
from tests.stories.place import a_place


def test_11_implicit_termination():
    scene = Scene()
    scene.seconds = {"stock/o1": 50}
    scene.answers["stock/o1"] = {"left": 4}
    details = run(scene.run("11-implicit-termination", {"order": "o1"}))
    assert details.image.status is Status.SUCCEEDED
    assert statuses(details) == {"stock": "succeeded", "count": "succeeded", "credit": "succeeded", "never": "skipped"}


def test_16_deferred_choice_the_answer_comes():
    scene = Scene()

    async def story():
        execution = await scene.begin("16-deferred-choice", {"guest": "ann"})
        await scene.house.drain(idle_minutes=5)
        assert await scene.status(execution) is Status.RUNNING
        address = scene.body("invite/ann")["answer_to"]
        await scene.signal(address, "received", {"body": {"comes": True}, "headers": {}, "query": {}, "method": "POST"})
        await scene.house.drain()
        with pytest.raises(LinkUsedError):
            await scene.signal(address, "received")
        return await scene.house.details(execution)

    details = run(story())
    assert scene.sent == ["invite/ann", "book"]
    assert statuses(details)["let_go"] == "skipped"
    assert details.image.status is Status.SUCCEEDED


def test_16_deferred_choice_the_time_ends():
    scene = Scene()

    async def story():
        execution = await scene.begin("16-deferred-choice", {"guest": "ann"})
        await scene.house.drain(idle_minutes=3 * 24 * 60)
        with pytest.raises(LinkExpiredError):
            await scene.signal(scene.body("invite/ann")["answer_to"], "received")
        return await scene.house.details(execution)

    details = run(story())
    assert scene.sent == ["invite/ann", "let-go"]
    assert statuses(details)["book"] == "skipped"


def pairs(scene: Scene) -> list[str]:
    """What began and ended, in order; fails where something began before another had ended."""
    begun_and_ended = [path for path in scene.sent if path.startswith(("begin/", "end/"))]
    names = [path.removeprefix("begin/") for path in begun_and_ended[::2]]
    assert begun_and_ended == [each for name in names for each in (f"begin/{name}", f"end/{name}")]
    return names


def test_17_interleaved_parallel_routing_by_a_workaround():
    scene = Scene()
    details = run(scene.run("17-interleaved-parallel-routing", {"patient": "p1"}, "17-examination"))
    order = pairs(scene)
    assert sorted(order) == ["blood", "diagnosis", "xray"]
    assert order.index("blood") < order.index("diagnosis")
    assert details.image.status is Status.SUCCEEDED


def test_17_another_case_is_not_waited_for():
    scene = Scene()

    async def story():
        for patient in ("p1", "p2"):
            await scene.begin("17-interleaved-parallel-routing", {"patient": patient}, "17-examination")
        await scene.house.drain(idle_minutes=1)

    run(story())
    assert len(scene.sent) == 2, "each patient has one examination under way"


def test_20_cancel_case():
    scene = Scene()

    async def story():
        execution = await scene.begin("20-cancel-case", {"order": "o1"}, "20-price-watch")
        await scene.house.drain(idle_minutes=10)
        await scene.house.door.cancel("main", execution, "the customer withdrew")
        await scene.house.drain(idle_minutes=15 * 24 * 60)
        return await scene.house.details(execution)

    details = run(story())
    assert scene.sent == ["reserve/o1"]
    assert details.image.status is Status.CANCELLED
    (child,) = run(scene.executions("price-watch"))
    assert child.image.status is Status.CANCELLED, "what it waits for is cancelled with it"


@pytest.mark.parametrize(("is_wanted", "rounds"), [(True, 3), (False, 0)])
def test_21_structured_loop(is_wanted, rounds):
    scene = Scene()
    scene.answers["jobs/7"] = [{"state": "queued"}, {"state": "busy"}, {"state": "ready"}]
    details = run(scene.run("21-structured-loop", {"job": "7", "is_wanted": is_wanted}))
    assert scene.sent == ["jobs/7"] * rounds
    assert details.output == {"rounds": rounds}


def test_22_recursion():
    scene = Scene(
        folders__top={"sizes": [1, 2], "folders": ["a", "b"]},
        folders__a={"sizes": [10], "folders": ["c"]},
        folders__b={"sizes": [], "folders": []},
        folders__c={"sizes": [100, 200], "folders": []},
    )
    details = run(scene.run("22-recursion", {"folder": "top"}))
    assert details.output == {"bytes": 313}
    assert sorted(scene.sent) == ["folders/a", "folders/b", "folders/c", "folders/top"]


def test_24_persistent_trigger():
    scene = Scene()

    async def story():
        execution = await scene.begin("24-persistent-trigger", {"invoice": "r1"})
        await scene.house.drain(idle_minutes=2)
        early = {"by": "Ann", "comment": "", "via": "link"}
        await scene.signal(scene.body("send/r1")["decide_at"], "approved", early)
        await scene.house.drain(idle_minutes=60)
        assert scene.sent == ["send/r1"], "the answer is kept until its step is reached"
        await scene.house.drain(idle_minutes=8 * 24 * 60)
        return await scene.house.details(execution)

    details = run(story())
    assert scene.sent == ["send/r1", "pay"]
    assert statuses(details)["file"] == "skipped"
    assert details.image.status is Status.SUCCEEDED


async def withdrawn(name, inputs, child, others, after_minutes=24 * 60):
    """Run a pattern that cancels its called flow through the API, on a deployment whose own API it reaches."""
    async with a_place("memory", None) as place:
        sent: list[str] = []

        class Outside(dict):
            def get(self, path, default=None):
                return outside if not path.startswith("/api/") else own_api

        async def outside(request):
            path = request.url.removeprefix("https://api.example/")
            sent.append(path)
            body = {"wanted": False} if path == "still-wanted" else {}
            return HttpAnswer(200, (("content-type", "application/json"),), json.dumps(body).encode())

        async def own_api(request):
            target = request.url.removeprefix("https://penstock.example")
            answer = await place.send(request.method, target, request.body, dict(request.headers))
            return HttpAnswer(answer.status, (("content-type", "application/json"),), bytes(answer.body))

        place.http.answers = Outside()
        for other in others:
            await place.publish(text_of(other).replace("credential: penstock", "credential: own_api"))
        told = await place.publish(text_of(name).replace("credential: penstock", "credential: own_api"))
        status, started = await place.rest("POST", f"flows/{told['flow']}/run", {"inputs": inputs})
        assert status == 202
        await place.settle(idle_minutes=after_minutes)
        page = await place.store.facts.page(Listing("main", child))
        return sent, await place.execution(started["execution"]), page.items[0].status


def test_19_cancel_activity_by_a_workaround():
    sent, parent, child = run(withdrawn("19-cancel-activity", {"job": "j"}, "long-work", ["19-long-work"]))
    assert child is Status.CANCELLED
    assert sorted(sent) == ["begin/j", "still-wanted", "withdrawn"]
    assert parent["status"] == "succeeded"


def test_25_cancel_region_by_a_workaround():
    sent, parent, child = run(withdrawn("25-cancel-region", {"job": "j"}, "region", ["25-region"]))
    assert child is Status.CANCELLED
    assert "outside/j" in sent
    assert not {"second", "third"} & set(sent)
    assert parent["status"] == "succeeded"


def test_26_cancel_multiple_instance_activity_by_a_workaround():
    people = {"people": ["ann", "bob", "cem", "dan"]}
    name = "26-cancel-multiple-instance-activity"
    sent, parent, child = run(withdrawn(name, people, "reminders", ["26-reminders"]))
    assert child is Status.CANCELLED
    assert len([path for path in sent if path.startswith("write/")]) == 2, "the two that had begun"
    assert not [path for path in sent if path.startswith("remind/")]
    assert parent["status"] == "succeeded"


def test_39_critical_section_by_a_workaround():
    scene = Scene()
    details = run(scene.run("39-critical-section", {"account": "a1"}, "39-section"))
    assert sorted(pairs(scene)) == ["audit", "move"]
    assert scene.sent[0] == "mail/a1", "what is outside the sections waits for nobody"
    assert details.image.status is Status.SUCCEEDED


def test_40_interleaved_routing_by_a_workaround():
    scene = Scene()
    details = run(scene.run("40-interleaved-routing", {"machine": "m1"}, "40-service-task"))
    assert sorted(pairs(scene)) == ["clean", "measure", "oil"]
    assert details.image.status is Status.SUCCEEDED


def test_43_explicit_termination_in_part():
    scene = Scene(credit__o1={"is_blocked": True})
    scene.seconds["stock/o1"] = 30
    details = run(scene.run("43-explicit-termination", {"order": "o1"}))
    assert "pack" not in scene.sent
    assert (details.image.status, details.image.reason.code) == (Status.FAILED, "blocked")
    scene = Scene(credit__o1={"is_blocked": False})
    details = run(scene.run("43-explicit-termination", {"order": "o1"}))
    assert details.image.status is Status.SUCCEEDED
    assert scene.sent[-1] == "pack"

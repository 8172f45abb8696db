"""Basic and advanced branching: patterns 1 to 9, 28 to 33, 37."""

import pytest

from chalicelib.engine.records import Status
from tests.patterns.scene import Scene, run, statuses


def test_01_sequence():
    scene = Scene()
    details = run(scene.run("01-sequence", {"order": "o1"}))
    assert scene.log == [
        "POST reserve",
        "answered reserve",
        "POST charge",
        "answered charge",
        "POST ship",
        "answered ship",
    ]
    assert details.output == {"shipped": "ship"}


def test_02_parallel_split():
    scene = Scene(orders__o1={"sku": "s", "customer": "c"})
    details = run(scene.run("02-parallel-split", {"order": "o1"}))
    assert scene.log[:2] == ["GET orders/o1", "answered orders/o1"]
    assert set(scene.log[2:4]) == {"GET stock/s", "GET credit/c"}, "both leave before either is answered"
    assert details.image.status is Status.SUCCEEDED


@pytest.mark.parametrize("slow", ["stock/o1", "credit/o1"])
def test_03_synchronization(slow):
    scene = Scene()
    scene.seconds[slow] = 5
    run(scene.run("03-synchronization", {"order": "o1"}))
    assert scene.log.index("POST confirm") > scene.log.index(f"answered {slow}")
    assert scene.sent.count("confirm") == 1


@pytest.mark.parametrize(("total", "taken"), [(5000, "visit"), (500, "call"), (50, "write")])
def test_04_exclusive_choice(total, taken):
    scene = Scene()
    details = run(scene.run("04-exclusive-choice", {"total": total}))
    assert scene.sent == [taken]
    assert list(statuses(details).values()).count("skipped") == 2


@pytest.mark.parametrize(("total", "told"), [(5000, "by phone"), (50, "by mail")])
def test_05_simple_merge(total, told):
    scene = Scene()
    run(scene.run("05-simple-merge", {"total": total}))
    assert scene.sent == ["note"]
    assert scene.body("note") == {"told": told}


WANTS = [[], ["car"], ["flight", "hotel"], ["flight", "hotel", "car"]]


@pytest.mark.parametrize("wants", WANTS)
def test_06_multi_choice(wants):
    scene = Scene()
    run(scene.run("06-multi-choice", {"wants": wants}))
    assert sorted(scene.sent) == sorted(wants)


@pytest.mark.parametrize("wants", WANTS)
def test_07_structured_synchronizing_merge(wants):
    scene = Scene()
    scene.seconds["hotel"] = 30
    details = run(scene.run("07-structured-synchronizing-merge", {"wants": wants}))
    if not wants:
        assert statuses(details)["bill"] == "skipped"
        return
    assert scene.sent[-1] == "bill"
    assert scene.sent.count("bill") == 1
    assert {f"answered {each}" for each in wants} <= set(scene.log[: scene.log.index("POST bill")])
    assert scene.body("bill") == {each: each if each in wants else None for each in ("flight", "hotel", "car")}


def test_08_multi_merge_by_a_workaround():
    scene = Scene()
    run(scene.run("08-multi-merge", {"order": "o1"}, "08-multi-merge-tail"))
    assert sorted(path for path in scene.sent if path.startswith("record")) == ["record/credit", "record/stock"]
    tails = run(scene.executions("multi-merge-tail"))
    assert [each.image.status for each in tails] == [Status.SUCCEEDED, Status.SUCCEEDED]


@pytest.mark.parametrize("quick", ["north", "south", "west"])
def test_09_structured_discriminator(quick):
    scene = Scene(**{each: {"answer": f"of {each}"} for each in ("north", "south", "west")})
    scene.held = {each: "tell" for each in ("north", "south", "west") if each != quick}
    details = run(scene.run("09-structured-discriminator", {"question": "?"}))
    assert scene.body("tell") == {"answer": f"of {quick}"}
    told = scene.log.index("POST tell")
    assert [line for line in scene.log[:told] if line.startswith("answered")] == [f"answered {quick}"]
    assert set(statuses(details).values()) == {"succeeded"}, "the others end, and start nothing again"
    assert scene.sent.count("tell") == 1


def test_29_cancelling_discriminator_by_a_workaround():
    scene = Scene(north={"answer": "of north"})
    details = run(scene.run("29-cancelling-discriminator", {"question": "?"}, "29-race"))
    assert scene.body("tell") == {"answer": "of north"}
    assert "south" not in scene.sent, "the loser was called back before it asked"
    assert details.image.status is Status.SUCCEEDED
    (race,) = run(scene.executions("race"))
    assert (race.image.status, race.image.reason.code) == (Status.FAILED, "won")


@pytest.mark.parametrize("slow", ["ann", "bob", "cem"])
def test_30_structured_partial_join(slow):
    scene = Scene()
    scene.held = {f"review/{slow}": "publish"}
    details = run(scene.run("30-structured-partial-join", {"offer": "7"}))
    answered = [line for line in scene.log[: scene.log.index("POST publish")] if line.startswith("answered")]
    assert len(answered) == 2
    assert f"answered review/{slow}" not in answered
    assert scene.sent.count("publish") == 1
    assert set(statuses(details).values()) == {"succeeded"}


def test_32_cancelling_partial_join_by_a_workaround():
    scene = Scene()
    details = run(scene.run("32-cancelling-partial-join", {"offer": "7"}, "32-votes"))
    assert sorted(scene.sent) == ["publish", "vote/ann", "vote/bob"]
    assert details.image.status is Status.SUCCEEDED


@pytest.mark.parametrize("total", [5000, 50])
@pytest.mark.parametrize("abroad", [True, False])
def test_37_acyclic_synchronizing_merge(total, abroad):
    scene = Scene()
    scene.seconds = {"check": 5, "customs": 9}
    details = run(scene.run("37-acyclic-synchronizing-merge", {"total": total, "abroad": abroad}))
    expected = {
        *(["check", "insure", "papers"] if total > 1000 else []),
        *(["customs", "papers"] if abroad else []),
        "ship",
    }
    assert set(scene.sent) == expected
    assert len(scene.sent) == len(expected), "each once"
    assert scene.log[-2:] == ["POST ship", "answered ship"], "whatever may still come is waited for"
    assert details.image.status is Status.SUCCEEDED

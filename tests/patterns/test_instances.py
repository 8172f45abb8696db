"""Multiple instances: patterns 12 to 15, 26, 27."""

from chalicelib.engine.records import Status
from tests.patterns.scene import Scene, run, statuses


def test_12_instances_without_synchronization():
    scene = Scene()
    scene.seconds = {f"invite/{each}": 600 for each in ("ann", "bob", "cem")}

    async def story():
        execution = await scene.begin(
            "12-instances-without-synchronization", {"customers": ["ann", "bob", "cem"]}, "12-invitation"
        )
        await scene.house.drain(most=1)
        assert await scene.status(execution) is Status.SUCCEEDED, "nobody waits for the instances"
        assert scene.sent == []
        await scene.house.drain()
        children = await scene.executions("invitation")
        return await scene.house.details(execution), children

    details, children = run(story())
    assert sorted(scene.sent) == ["invite/ann", "invite/bob", "invite/cem"]
    assert sorted(details.output) == sorted(each.image.key.execution for each in children)
    assert {each.image.status for each in children} == {Status.SUCCEEDED}


def test_13_instances_known_at_design_time():
    scene = Scene(**{f"sign__{each}": {"by": each.upper()} for each in ("director", "auditor", "clerk")})
    scene.seconds["sign/director"] = 60
    run(scene.run("13-instances-known-at-design-time"))
    assert sorted(scene.sent[:3]) == ["sign/auditor", "sign/clerk", "sign/director"]
    assert scene.log[-2:] == ["POST file", "answered file"]
    assert scene.body("file") == {"by": ["DIRECTOR", "AUDITOR", "CLERK"]}


def test_14_instances_known_at_run_time():
    lines = [{"sku": f"s{number}"} for number in range(25)]
    scene = Scene(orders__o1__lines={"items": lines}, **{f"check__s{n}": {"good": n % 2 == 0} for n in range(25)})
    run(scene.run("14-instances-known-at-run-time", {"order": "o1"}))
    assert scene.body("report") == {"checked": [{"sku": f"s{n}", "good": n % 2 == 0} for n in range(25)]}
    assert scene.sent[-1] == "report"
    assert len([path for path in scene.sent if path.startswith("check/")]) == 25


def test_15_instances_not_known_beforehand_in_rounds():
    scene = Scene(waiting__1={"items": ["a", "b"]}, waiting__2={"items": ["c"]}, waiting__3={"items": []})
    run(scene.run("15-instances-not-known-beforehand"))
    assert sorted(path for path in scene.sent if path.startswith("handle")) == ["handle/a", "handle/b", "handle/c"]
    assert scene.body("close") == {
        "rounds": [
            {"found": ["a", "b"], "handled": 2},
            {"found": ["c"], "handled": 1},
            {"found": [], "handled": 0},
        ]
    }
    assert scene.sent[-1] == "close"


def test_27_complete_multiple_instance_activity_in_part():
    scene = Scene()

    async def story():
        people = ["ann", "bob", "cem"]
        execution = await scene.begin("27-complete-multiple-instance-activity", {"people": people}, "27-opinions")
        await scene.house.drain(idle_minutes=30)
        assert sorted(scene.sent) == ["write/ann", "write/bob", "write/cem"]
        (child,) = await scene.executions("opinions")
        await scene.house.door.cancel("main", child.image.key.execution, "enough")
        await scene.house.drain()
        return await scene.house.details(execution)

    details = run(story())
    assert scene.sent[3:] == ["decide"], "what was under way is withdrawn, what follows is done"
    assert statuses(details)["all"] == "failed"
    assert details.image.status is Status.SUCCEEDED

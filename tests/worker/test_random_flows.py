"""Random flows, run by the real worker, against the plain statement of when a step runs (`engine.needs.judge`)."""

import random
from typing import Any

from chalicelib import catalogue
from chalicelib.engine.facts import Done, How
from chalicelib.engine.needs import Ruling, judge
from chalicelib.engine.records import Status
from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.ports import HttpAnswer, Live
from tests.worker.lives import Life, World, replay, run

FLOWS = 700
GONE, BUSY = HttpAnswer(404, (), b""), HttpAnswer(503, (), b"")


def random_flow(seed: int) -> tuple[dict[str, Any], dict[str, list[Any]], dict[str, tuple[How, str]]]:
    """A document, what the service answers, and how each step ends when it runs."""
    rng = random.Random(seed)
    steps: dict[str, Any] = {}
    script: dict[str, list[Any]] = {}
    ends: dict[str, tuple[How, str]] = {}
    for number in range(rng.randint(2, 10)):
        name = f"s{number}"
        step, end = _step(rng, name, script)
        if rng.random() < 0.1:
            step["if"], end = "${ false }", (How.SKIPPED, "skipped")
        elif end[0] is How.FAILED and rng.random() < 0.3:
            step["on_error"] = "continue"
        if steps and rng.random() < 0.85:
            step["after"] = _after(rng, steps)
        steps[name], ends[name] = step, end
    data: dict[str, Any] = {"flow": f"f{seed}", "steps": steps}
    if rng.random() < 0.3:
        data["on_failure"] = {
            "tell": {"uses": "http.request", "with": {"method": "POST", "url": "https://api.example/tell"}}
        }
    return data, script, ends


def _step(rng: random.Random, name: str, script: dict[str, list[Any]]) -> tuple[dict[str, Any], tuple[How, str]]:
    done = (How.SUCCEEDED, "done")
    match rng.choice(["set", "switch", "fail", "wait", "http", "http", "http", "http", "foreach"]):
        case "set":
            return {"uses": "set", "with": {"v": name}}, done
        case "switch":
            port = rng.choice(["p", "q", "else"])
            cases = {each: "${ true }" if each == port else "${ false }" for each in ("p", "q")}
            return {"uses": "switch", "with": {"cases": cases}}, (How.SUCCEEDED, port)
        case "fail":
            return {"uses": "fail", "with": {"message": "no"}}, (How.FAILED, "error")
        case "wait":
            return {"uses": "wait", "with": {"for": rng.choice(["1s", "5m"])}}, done
        case "foreach":
            url = f"https://api.example/{name}/${{ item }}"
            inner = {"uses": "http.request", "with": {"method": rng.choice(["GET", "PUT", "POST"]), "url": url}}
            step = {"uses": "foreach", "with": {"over": [1, 2, 3], "concurrency": 2}, "steps": {f"{name}_in": inner}}
            if rng.random() < 0.3:
                script[f"{name}/2"] = [GONE]
                return step, (How.FAILED, "error")
            return step, done
        case _:
            method = rng.choice(["GET", "GET", "PUT", "POST", "POST"])
            step = {"uses": "http.request", "with": {"method": method, "url": f"https://api.example/{name}"}}
            if rng.random() < 0.25:
                step["run"] = "apart"
            if rng.random() < 0.2:
                step["effect"] = rng.choice(["at_most_once", "at_least_once", "idempotent"])
            if rng.random() < 0.25:
                script[name] = [GONE]
                return step, (How.FAILED, "error")
            if rng.random() < 0.3 and step.get("effect") != "at_most_once":
                script[name] = [BUSY]
                step["retry"] = {"attempts": 2, "first": rng.choice(["1s", "5m"]), "cap": "10m"}
            return step, done


def _after(rng: random.Random, steps: dict[str, Any]) -> Any:
    sources = rng.sample(sorted(steps), rng.randint(1, min(4, len(steps))))
    needs = [f"{source}.{_port(rng, steps[source], rng.random() < 0.6)}" for source in sources]
    shape = rng.choice(["plain", "any", "at_least", "first", "mixed"])
    if shape == "plain" or len(needs) < 2:
        return needs
    if shape == "any":
        return {"any": needs}
    counted = [f"{source}.{_port(rng, steps[source], True)}" for source in sources]
    if shape == "first":
        return {"first": counted}
    if shape == "at_least" or len(needs) < 3:
        return {"at_least": rng.randint(1, len(counted)), "of": counted}
    return [needs[0], {"any": needs[1:]}]


def _port(rng: random.Random, step: dict[str, Any], own: bool) -> str:
    """A port of the source's; with `own` one that only a fact of its own can take."""
    named = ["p", "q", "else"] if step["uses"] == "switch" else ["done"]
    if "on_error" not in step and rng.random() < 0.4:
        return "error"
    return rng.choice(named if own else [*named, "skipped", "settled"])


WORDS = {How.SUCCEEDED: "succeeded", How.FAILED: "failed", How.SKIPPED: "skipped"}


def expected(plan: Plan, ends: dict[str, tuple[How, str]]) -> tuple[dict[str, str] | None, set[str]]:
    """Every step's status, or None with the steps whose failure nobody handles: which of them comes first is open."""
    facts: dict[str, Done] = {}
    unhandled: set[str] = set()
    while True:
        judged = judge(plan.steps, facts, {})
        todo = [step for step in plan.steps if judged[step.id].ruling is Ruling.RUN and step.id not in facts]
        if not todo:
            break
        step = todo[0]
        how, port = ends[step.id]
        facts[step.id] = Done(how, port, 1, 0, order=len(facts))
        if how is How.FAILED and not step.is_handled:
            unhandled.add(step.id)
    if unhandled:
        return None, unhandled
    return {step.id: WORDS[facts[step.id].how] if step.id in facts else "skipped" for step in plan.steps}, unhandled


async def one(seed: int) -> bool:
    data, script, ends = random_flow(seed)
    plan = make_plan(data, catalogue.entries())
    world = World(**script)
    version, text = version_of(data)
    await world.versions.put("main", plan.flow, version, text, world.now)
    await world.versions.set_live(Live("main", plan.flow, version, True, world.now, 1))
    start = await world.accept(plan)
    await Life(world).work()
    details = await world.details(start.execution)
    statuses, unhandled = expected(plan, ends)
    got = {step.id: step.status for step in details.steps}
    if statuses is None:
        assert details.image.status is Status.FAILED, (seed, data, got)
        assert details.image.reason is not None
        assert details.image.reason.step in unhandled, (seed, data, got)
        if plan.on_failure:
            assert got["tell"] == "succeeded", (seed, data, got)
    else:
        assert details.image.status is Status.SUCCEEDED, (seed, data, got, details.image)
        assert got == statuses, (seed, data)
        for step in details.steps:
            if step.uses == "set" and step.status == "succeeded":
                assert step.output == {"v": step.id}
    posts = [each.url for each in world.server.seen if each.method == "POST"]
    assert all(posts.count(url) == 1 or url.rpartition("/")[2] in script for url in posts), (seed, data, posts)
    await replay(world, boot=0)
    return statuses is not None


def test_random_flows_end_as_the_plain_rules_say():
    async def sweep():
        ended_well = sum([await one(seed) for seed in range(FLOWS)])
        assert FLOWS / 4 < ended_well < FLOWS, "the flows must be a mixture"

    run(sweep())

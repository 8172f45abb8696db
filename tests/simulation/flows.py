"""Random flows: a number gives a document, always the same. Most are small, and between them everything a flow can say."""

import random
from dataclasses import dataclass
from typing import Any

from chalicelib.engine.facts import fact_name
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.flow.planning import make_plan, version_of
from tests.simulation.outside import ENTRIES

MEMO: dict[str, Plan] = {}
"""Plans by their version's text: understood once, by whatever world."""

POOL = 3000
"""How many different flows there are; a schedule draws one of them."""

LARGE = 2700
"""The first of those that have many steps; the others have few, so that more can be tried."""

VALUED = {"sim.ask", "set"}
"""Nodes whose value has a number `n`."""

HAS_ERRORS = {"sim.ask", "http.request", "fail", "foreach", "repeat", "call"}
PORTS = {
    "switch": ["p", "q", "else"],
    "callback": ["received", "expired"],
    "approval": ["approved", "rejected", "expired"],
}
LOOPS = ("foreach", "repeat")
LIMITS = ["20s", "10m", "2d"]
ROUND = "round + 100"
KINDS = [
    *["ask"] * 11,
    *["set"] * 3,
    *["switch"] * 2,
    *["wait"] * 2,
    *["call"] * 2,
    *["foreach"] * 2,
    *("fail", "respond", "callback", "approval", "repeat"),
]


ITEMS = list(range(100, 140))
"""What loops go over: item 100 + n is turn n, so that a request's address says where it comes from."""


@dataclass(frozen=True)
class Written:
    """A flow, ready to be published: its text in the store, its version, its plan."""

    data: dict[str, Any]
    version: str
    text: str
    plan: Plan

    @property
    def name(self) -> str:
        return self.plan.flow


def write(data: dict[str, Any]) -> Written:
    version, text = version_of(data)
    plan = MEMO.get(text)
    if plan is None:
        plan = MEMO[text] = make_plan(data, ENTRIES)
    return Written(data, version, text, plan)


@dataclass(frozen=True)
class Around:
    """The steps among which a step stands: the flow's own, its `on_failure`, or the body of `loop`."""

    id: str
    steps: tuple[StepPlan, ...]
    loop: StepPlan | None


class Understood:
    """A plan, and where each of its steps stands."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.around: dict[str, Around] = {}
        self.outermost: dict[str, str] = {}
        """The outermost loop around a step; empty for a flow's own."""
        self.depth: dict[str, int] = {}
        """How many loops are around a step."""
        self.by_name: dict[str, StepPlan] = {}
        """By the name of its fact, without the turns."""
        self.handlers = {step.id for step in plan.on_failure}
        self._add(Around("", plan.steps, None), "", 0)
        self._add(Around("on_failure", plan.on_failure, None), "", 0)

    def _add(self, around: Around, outermost: str, depth: int) -> None:
        for step in around.steps:
            self.around[step.id] = around
            self.depth[step.id] = depth
            self.outermost[step.id] = outermost
            self.by_name[fact_name(step.ordinal)] = step
            if step.body is not None:
                self._add(Around(step.id, step.body.steps, step), outermost or step.id, depth + 1)

    def step_of(self, name: str) -> tuple[StepPlan, tuple[int, ...]] | None:
        """The step, and the turns, that a fact's name stands for; None where this flow has no such step."""
        base, _, turns = name.partition("_")
        step = self.by_name.get(base)
        return None if step is None else (step, tuple(map(int, turns.split("."))) if turns else ())


_understood: dict[str, Understood] = {}


def understood(plan: Plan) -> Understood:
    known = _understood.get(plan.version)
    if known is None:
        known = _understood[plan.version] = Understood(plan)
    return known


_written: dict[tuple[int, int], Written] = {}


def flow(number: int, edition: int = 0) -> Written:
    """The flow of this number; another `edition` of it has the same name, and other steps."""
    known = _written.get((number, edition))
    if known is None:
        rng = random.Random(f"flow {number} {edition}")
        author = _Author(rng, f"f{number}", is_large=number >= LARGE)
        known = _written[number, edition] = write(author.document())
    return known


class _Author:
    def __init__(self, rng: random.Random, name: str, *, is_large: bool) -> None:
        self.rng = rng
        self.is_large = is_large
        self.name = name
        self.names = 0
        self.is_short = False
        """Others queue behind it: it waits for no day."""
        self.is_secret = rng.random() < 0.1

    def document(self) -> dict[str, Any]:
        rng = self.rng
        data: dict[str, Any] = {"flow": self.name, "inputs": {"n": {"type": "number", "default": 7}}}
        if rng.random() < 0.4:
            data["durability"] = rng.choice(["end", "barrier", "every"])
        if rng.random() < 0.1:
            data["deadline"] = rng.choice(["2m", "12m", "40m", "3h"])
        if rng.random() < 0.12:
            self.is_short = True
            data["concurrency"] = rng.choice([1, 2, {"max": 1, "key": "${ inputs.n }"}, {"key": "${ inputs.n }"}])
        count = rng.choice((4, 5, 6, 7, 8, 9) if self.is_large else (1, 2, 2, 3, 3, 4, 5, 8))
        data["steps"] = steps = self.steps(count, {}, depth=0)
        if rng.random() < 0.35:
            data["on_failure"] = self.on_failure()
        valued = [name for name, step in steps.items() if _has_value(step)]
        if valued and rng.random() < 0.6:
            data["output"] = {"n": f"${{ steps.{rng.choice(valued)}.n ?? 0 }}"}
        return data

    def steps(self, count: int, outer: dict[str, Any], depth: int) -> dict[str, Any]:
        steps: dict[str, Any] = {}
        for _ in range(count):
            name = f"s{self.names}"
            self.names += 1
            steps[name] = self.step(name, steps, outer, depth)
        return steps

    def step(self, name: str, siblings: dict[str, Any], outer: dict[str, Any], depth: int) -> dict[str, Any]:
        rng = self.rng
        seen = [source for source, step in {**outer, **siblings}.items() if _has_value(step)]
        reads = rng.sample(sorted(seen), min(len(seen), rng.choice((0, 0, 1, 1, 1, 2))))
        given = {each: self.mention(each) for each in reads}
        step = self.node(name, given, {**outer, **siblings}, depth)
        free = [each for each in siblings if each not in reads]
        if free and rng.random() < 0.5:
            step["after"] = self.after({each: siblings[each] for each in free})
        if rng.random() < 0.08:
            step["if"] = rng.choice(["${ false }", "${ inputs.n > 3 }", "${ inputs.n = 1 }"])
        if step["uses"] in HAS_ERRORS and rng.random() < 0.2:
            step["on_error"] = rng.choice(["continue", {"use": {"n": -1}}])
        return step

    def mention(self, source: str) -> str:
        if self.rng.random() < 0.15:
            return f"${{ steps.{source}.n ?? 0 }}"
        return f"${{ steps.{source}.n }}"

    def node(self, name: str, given: dict[str, str], around: dict[str, Any], depth: int) -> dict[str, Any]:
        rng = self.rng
        match rng.choice(KINDS if depth < 2 else [each for each in KINDS if each not in LOOPS]):
            case "set":
                fields: dict[str, Any] = {"n": rng.choice([*given.values(), "${ inputs.n + 1 }", 5]), "given": given}
                if rng.random() < 0.3:
                    fields |= {"u": "${ $uuid() }", "at": "${ $now() }"}
                return {"uses": "set", "with": fields}
            case "switch":
                source = rng.choice([*(f"steps.{each}.n % 2 = 0" for each in given), "inputs.n = 7", "false"])
                return {"uses": "switch", "with": {"cases": {"p": f"${{ {source} }}", "q": "${ inputs.n < 3 }"}}}
            case "fail":
                return {"uses": "fail", "with": {"message": "no"}}
            case "wait":
                lengths = ["1s", "30s", "5m", "14m", "40m", "3d"]
                return {"uses": "wait", "with": {"for": rng.choice(lengths[:4] if depth or self.is_short else lengths)}}
            case "callback":
                with_ = (
                    {"expires": rng.choice(LIMITS[:2] if depth or self.is_short else LIMITS)}
                    if rng.random() < 0.7
                    else {}
                )
                if rng.random() < 0.2:
                    with_["heartbeat"] = "5m"
                return {"uses": "callback", "with": with_}
            case "approval":
                with_ = {"ask": f"Shall {name} go on?"}
                if rng.random() < 0.7:
                    with_["expires"] = rng.choice(LIMITS[:2] if depth or self.is_short else LIMITS)
                return {"uses": "approval", "with": with_}
            case "respond":
                return {"uses": "respond", "with": {"json": {"given": given}}}
            case "call":
                child = rng.choice(["child", "child", "slow-child", "bad-child"])
                called: dict[str, Any] = {"uses": "call", "with": {"flow": child, "inputs": {"given": given}}}
                if rng.random() < 0.7:
                    called["with"]["wait"] = True
                return called
            case "foreach":
                return self.foreach(around, depth)
            case "repeat" if ROUND not in self.turns[:depth]:
                return self.repeat(around, depth)
            case _:
                return self.ask(name, given, depth)

    def ask(self, name: str, given: dict[str, str], depth: int) -> dict[str, Any]:
        rng = self.rng
        method = rng.choice(["GET", "GET", "PUT", "PUT", "POST", "POST", "POST"])
        fate = rng.choice(["ok"] * 12 + ["gone", "gone", "busy", "busy", "much"])
        turns = "".join(f"/${{ {each} }}" for each in self.turns[:depth])
        step: dict[str, Any]
        if self.is_secret and rng.random() < 0.5:
            fate = "echo"
            with_ = {
                "method": method,
                "url": f"https://api.example/${{ execution.id }}/{name}/{fate}{turns}",
                "json": {"given": given},
            }
            step = {"uses": "http.request", "credential": "key", "with": with_}
        else:
            path = f"/${{ execution.id }}/{name}/{fate}{turns}"
            step = {"uses": "sim.ask", "with": {"method": method, "path": path, "given": given}}
            if rng.random() < 0.12:
                step["with"]["times"] = 2
        if rng.random() < 0.2:
            step["effect"] = rng.choice(["at_most_once", "at_most_once", "at_least_once", "idempotent"])
        if rng.random() < 0.45:
            step["retry"] = {
                "attempts": rng.randint(2, 4),
                "first": rng.choice(["200ms", "1s", "5s", "3m"]),
                "cap": rng.choice(["1s", "10s", "5m"]),
            }
        if rng.random() < 0.3:
            step["timeout"] = rng.choice(["1s", "5s", "10s"])
        if depth == 0 and rng.random() < 0.15:
            step["run"] = "apart"
        return step

    turns: tuple[str, ...] = ()
    """What tells the turns of the loops around a step apart, the outermost first."""

    def body(self, around: dict[str, Any], depth: int, turn: str) -> dict[str, Any]:
        before = self.turns
        self.turns = (*before[:depth], turn)
        body = self.steps(self.rng.choice((1, 1, 2, 3)), around, depth + 1)
        self.turns = before
        return body

    def foreach(self, around: dict[str, Any], depth: int) -> dict[str, Any]:
        rng = self.rng
        count = rng.choice((2, 3, 5, 5, 6, 6) if self.is_large else (1, 2, 2, 3, 3, 5))
        count = count if depth == 0 else rng.randint(1, 2)
        with_: dict[str, Any] = {"over": ITEMS[:count], "concurrency": rng.randint(1, 4)}
        if depth:
            with_["as"] = "row"
        if rng.random() < 0.4:
            with_["tolerate"] = rng.choice([1, "50%"])
        if rng.random() < 0.1:
            with_["pause"] = rng.choice(["1s", "30s"])
        body = self.body(around, depth, "row" if depth else "item")
        return {"uses": "foreach", "with": with_, "steps": body, "output": self.output(body, "${ index }")}

    def repeat(self, around: dict[str, Any], depth: int) -> dict[str, Any]:
        rng = self.rng
        until = f"${{ round >= {rng.choice((1, 2, 3, 4))} }}"
        with_: dict[str, Any] = {"until": until, "max": rng.choice((2, 4, 4, 6))}
        if rng.random() < 0.3:
            with_["every"] = rng.choice(["1s", "10s", "5m"])
        if rng.random() < 0.4:
            with_["collect"] = True
        body = self.body(around, depth, ROUND)
        return {"uses": "repeat", "with": with_, "steps": body, "output": self.output(body, "${ round }")}

    def output(self, body: dict[str, Any], otherwise: str) -> str:
        valued = [each for each, one in body.items() if _has_value(one)]
        return f"${{ steps.{self.rng.choice(valued)}.n ?? null }}" if valued else otherwise

    def after(self, siblings: dict[str, Any]) -> Any:
        rng = self.rng
        sources = rng.sample(sorted(siblings), rng.randint(1, min(3, len(siblings))))
        needs = [f"{source}.{self.port(siblings[source], rng.random() < 0.6)}" for source in sources]
        shape = rng.choice(["plain", "plain", "any", "at_least", "first", "mixed"])
        if shape == "plain" or len(needs) < 2:
            return needs
        if shape == "any":
            return {"any": needs}
        counted = [f"{source}.{self.port(siblings[source], True)}" for source in sources]
        if shape == "first":
            return {"first": counted}
        if shape == "at_least" or len(needs) < 3:
            return {"at_least": rng.randint(1, len(counted)), "of": counted}
        return [needs[0], {"any": needs[1:]}]

    def port(self, step: dict[str, Any], own: bool) -> str:
        rng = self.rng
        named = PORTS.get(step["uses"], ["done"])
        if step["uses"] in HAS_ERRORS and "on_error" not in step and rng.random() < 0.2:
            return "error"
        return rng.choice(named * 3 if own else [*named * 3, "skipped", "settled"])

    def on_failure(self) -> dict[str, Any]:
        rng = self.rng
        name = f"s{self.names}"
        self.names += 1
        steps: dict[str, Any] = {
            name: {
                "uses": "sim.ask",
                "with": {
                    "method": rng.choice(["GET", "PUT", "POST"]),
                    "path": f"/${{ execution.id }}/{name}/ok",
                    "given": {"why": "${ failure.code }"},
                },
            }
        }
        if rng.random() < 0.4:
            steps[f"s{self.names}"] = {"uses": "wait", "after": name, "with": {"for": rng.choice(["1s", "5m"])}}
            self.names += 1
        return steps


def _has_value(step: dict[str, Any]) -> bool:
    """Whether its value has a number `n`."""
    return step["uses"] in VALUED


def child(name: str, *, waits: str = "", fails: bool = False) -> dict[str, Any]:
    """A flow that others call."""
    steps: dict[str, Any] = {
        "c0": {
            "uses": "sim.ask",
            "with": {"method": "PUT", "path": "/${ execution.id }/c0/ok", "given": "${ inputs.given }"},
        },
        "c1": {
            "uses": "sim.ask",
            "with": {"method": "POST", "path": "/${ execution.id }/c1/ok", "given": {"n": "${ steps.c0.n }"}},
        },
    }
    if waits:
        steps["c2"] = {"uses": "wait", "after": "c0", "with": {"for": waits}}
    if fails:
        steps["c3"] = {"uses": "fail", "after": "c1", "with": {"message": "no"}}
    return {
        "flow": name,
        "inputs": {"given": {"type": "object", "default": {}}},
        "steps": steps,
        "output": {"n": "${ steps.c1.n }"},
    }


CHILDREN = (child("child"), child("slow-child", waits="6m"), child("bad-child", fails=True))

LISTENER: dict[str, Any] = {
    "flow": "listener",
    "inputs": {"flow": {"type": "string"}, "code": {"type": "string"}},
    "triggers": {
        "failed": {"uses": "error", "inputs": {"flow": "${ trigger.flow }", "code": "${ trigger.code }"}},
    },
    "steps": {
        "l0": {
            "uses": "sim.ask",
            "with": {"method": "POST", "path": "/${ execution.id }/l0/ok", "given": {"code": "${ inputs.code }"}},
        }
    },
}

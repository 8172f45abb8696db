"""Draws a plan as data: what starts at once and what follows, for `penstock plan` and its `--json`.

A stage holds the steps that can start once the stage before is settled; the engine itself knows no stages, and starts
each step as soon as its own needs hold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.flow.listening import ERROR, flows_heard
from chalicelib.flow.order import in_order
from chalicelib.flow.plan import Body, Concurrency, Group, Need, Plan, RetryPolicy, StepPlan, TriggerPlan
from chalicelib.flow.reading import duration_text
from chalicelib.flow.templates import expressions
from chalicelib.flow.values import Json


@dataclass(frozen=True, slots=True)
class DrawnStep:
    """A step in the drawing."""

    id: str
    uses: str
    effect: str
    waits_for: tuple[str, ...]
    """Its needs, each as a person says it: `charge`, `size.large`, `first of a, b`."""
    notes: tuple[str, ...]
    """What else decides how it runs: a condition, retries, its ports."""
    body: tuple["Stage", ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that may run side by side."""

    number: int
    steps: tuple[DrawnStep, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole plan."""

    flow: str
    version: str
    triggers: tuple[str, ...]
    stages: tuple[Stage, ...]
    on_failure: tuple[Stage, ...]
    limits: tuple[str, ...] = ()
    """What holds of its executions together: how many at once."""


def draw(plan: Plan) -> Drawing:
    """Draw a plan."""
    return Drawing(
        flow=plan.flow,
        version=plan.version,
        triggers=tuple(_trigger(trigger) for trigger in plan.triggers.values()),
        stages=_stages(plan.steps),
        on_failure=_stages(plan.on_failure),
        limits=tuple(_limits(plan.concurrency)),
    )


def to_lines(drawing: Drawing) -> Iterator[str]:
    """The drawing as text, a line at a time."""
    yield f"{drawing.flow}  {drawing.version[:12]}"
    for trigger in drawing.triggers:
        yield f"started by {trigger}"
    yield from drawing.limits
    yield from _lines(drawing.stages, "", "at once")
    if drawing.on_failure:
        yield "when it fails"
        yield from _lines(drawing.on_failure, "  ", "at once")


def to_data(drawing: Drawing) -> dict[str, Json]:
    """The drawing as JSON."""
    return {
        "flow": drawing.flow,
        "version": drawing.version,
        "triggers": list(drawing.triggers),
        "limits": list(drawing.limits),
        "stages": _data(drawing.stages),
        "on_failure": _data(drawing.on_failure),
    }


def _data(stages: Sequence[Stage]) -> list[Json]:
    return [[_step_data(step) for step in stage.steps] for stage in stages]


def _step_data(step: DrawnStep) -> dict[str, Json]:
    data: dict[str, Json] = {
        "id": step.id,
        "uses": step.uses,
        "effect": step.effect,
        "waits_for": list(step.waits_for),
        "notes": list(step.notes),
    }
    return {**data, "body": _data(step.body)} if step.body else data


def _lines(stages: Sequence[Stage], indent: str, first: str) -> Iterator[str]:
    for stage in stages:
        yield f"{indent}{first if stage.number == 1 else 'then'}"
        width = max(len(step.id) for step in stage.steps)
        for step in stage.steps:
            parts = [f"{step.id:<{width}}  {step.uses}"]
            if step.waits_for:
                parts.append(f"after {', '.join(step.waits_for)}")
            parts.extend(step.notes)
            yield f"{indent}  {'  · '.join(parts)}"
            yield from _lines(step.body, f"{indent}    ", "each time")


def _stages(steps: Sequence[StepPlan]) -> tuple[Stage, ...]:
    """The steps of one scope by the length of the longest way to them."""
    by_id = {step.id: step for step in steps}
    sources = {step.id: [need.source for need in _needs(step)] for step in steps}
    depth: dict[str, int] = {}
    for name in in_order(sources)[0]:
        depth[name] = 1 + max((depth[source] for source in sources[name] if source in by_id), default=0)
    stages: dict[int, list[DrawnStep]] = {}
    for step in steps:
        stages.setdefault(depth.get(step.id, 1), []).append(_drawn(step))
    return tuple(Stage(number, tuple(stages[number])) for number in sorted(stages))


def _needs(step: StepPlan) -> tuple[Need, ...]:
    return (*step.needs, *(need for group in step.groups for need in group.needs))


def _drawn(step: StepPlan) -> DrawnStep:
    waits = (*(_need(need) for need in step.needs), *(_group(group) for group in step.groups))
    body = _stages(step.body.steps) if isinstance(step.body, Body) else ()
    return DrawnStep(step.id, step.uses, step.effect.value, waits, tuple(_notes(step)), body)


def _need(need: Need) -> str:
    return need.source if need.port == "done" else f"{need.source}.{need.port}"


def _group(group: Group) -> str:
    names = ", ".join(_need(need) for need in group.needs)
    match group.at_least:
        case None:
            return f"any of ({names})"
        case 1:
            return f"first of ({names})"
        case number:
            return f"at least {number} of ({names})"


def _notes(step: StepPlan) -> Iterator[str]:
    if step.condition is not None:
        yield "if its condition holds"
    if step.ports != ("done",):
        yield f"ports {', '.join(step.ports)}"
    if step.retry.attempts > 1:
        yield _retry(step.retry)
    if step.on_error is not None:
        yield "goes on after a failure"
    elif step.error_is_named:
        yield "its failure is handled"
    if step.effect.is_leased:
        yield step.effect.value.replace("_", " ")
    if step.apart:
        yield "in an invocation of its own"


def _retry(policy: RetryPolicy) -> str:
    within = (
        "" if policy.within_seconds is None else f" within {duration_text(timedelta(seconds=policy.within_seconds))}"
    )
    return f"up to {policy.attempts} attempts{within} ({', '.join(policy.classes)})"


def _limits(cap: Concurrency | None) -> Iterator[str]:
    if cap is None:
        return
    each = ""
    if cap.key is not None:
        each = f" for each {', '.join(one.text.strip() for one in expressions(cap.key))}"
    yield f"at most {cap.most} execution{'s' if cap.most > 1 else ''} at once{each}"


def _trigger(trigger: TriggerPlan) -> str:
    parts = [trigger.id, f"({trigger.uses}"]
    known: Mapping[str, Json] = trigger.parameters
    for name in ("cron", "every"):
        if isinstance(known.get(name), str):
            parts[1] += f" {known[name]}"
    if trigger.uses == ERROR and (heard := flows_heard(known)):
        parts[1] += f" of {', '.join(heard)}"
    if trigger.overlap != "allow":
        parts[1] += f", overlap {trigger.overlap}"
    if trigger.catch_up != "none":
        parts[1] += f", catch up {trigger.catch_up}"
    if trigger.verify is not None:
        parts[1] += f", verified by {trigger.verify.get('scheme')}"
    elif trigger.uses == "webhook":
        parts[1] += ", verifies nothing"
    return " ".join(parts) + ")"

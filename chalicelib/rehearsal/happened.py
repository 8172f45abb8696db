"""What happened in a case: how it ended, what became of every step, by which ports steps were left."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Outcome, Succeeded, Unknown, Waits
from chalicelib.ports import Details, StepDetails
from chalicelib.rehearsal.standing_in import Seen
from chalicelib.worker.budget import from_milliseconds


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a step: of one in a loop's body, in any of its turns."""

    ran: bool = False
    failed: bool = False
    skipped: bool = False
    said: str = "not run"
    """In words, with the reason."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One case, as it went."""

    status: str
    reason: str = ""
    """Why it did not succeed, in a line."""
    fates: Mapping[str, Fate] = field(default_factory=dict[str, Fate])
    """Of every step of the file."""
    ports: frozenset[str] = frozenset()
    """`step.port`, for each port a step was left by."""
    calls: Mapping[str, Sequence[Mapping[str, Json]]] = field(default_factory=dict[str, Sequence[Mapping[str, Json]]])
    """The parameters of each call, by step."""
    output: Json = None
    ended: datetime | None = None
    unmocked: Sequence[str] = ()
    """What is missing, a sentence for each step."""

    @property
    def ran(self) -> frozenset[str]:
        """The steps that did something, well or not."""
        return frozenset(name for name, fate in self.fates.items() if fate.ran or fate.failed)


def happened(plan: Plan, details: Details, seen: Seen) -> Happened:
    """What the record and what was seen say together."""
    image = details.image
    of_steps = {step.id: step for step in details.steps}
    fates = {name: _fate(of_steps[name]) for name in plan.by_id if name in of_steps}
    fates |= {step.id: Fate() for step in (*plan.steps, *plan.on_failure) if step.id not in fates}
    inside = set(_failed_inside(details.steps))
    for step in (*plan.steps, *plan.on_failure):
        fates |= dict(_fates_inside(step, seen, inside))
    ports = {f"{step.id}.{step.port}" for step in details.steps if step.port}
    ports |= {f"{name}.error" for name, fate in fates.items() if fate.failed}
    for (name, _), outcome in seen.outcomes.items():
        if name not in of_steps:
            ports.add(f"{name}.{_port(outcome)}")
    reason = ""
    if image.reason is not None:
        where = f" at `{image.reason.step}`" if image.reason.step else ""
        reason = f"{image.status.word.replace('_', ' ')}{where} ({image.reason.code}): {image.reason.message}"
    elif not image.status.is_terminal:
        waiting = [step.id for step in details.steps if step.status in {"waiting", "running", "retrying"}]
        reason = f"it never ended: {image.status.word}" + (f", `{waiting[0]}` is open" if waiting else "")
    return Happened(
        status=image.status.word,
        reason=reason,
        fates=fates,
        ports=frozenset(ports),
        calls={name: seen.calls_of(name) for name in plan.by_id},
        output=details.output,
        ended=from_milliseconds(image.ended) if image.ended else None,
        unmocked=tuple(seen.unmocked.values()),
    )


def _fate(step: StepDetails) -> Fate:
    match step.status:
        case "succeeded":
            return Fate(ran=True, said="succeeded")
        case "failed" | "unknown":
            failure = step.failure or {}
            return Fate(failed=True, said=f"{step.status} ({failure.get('code')}): {failure.get('message')}")
        case "skipped":
            return Fate(skipped=True, said="skipped")
        case "pending" | "not_run":
            return Fate()
        case other:
            return Fate(said=other)


def _fates_inside(loop: StepPlan, seen: Seen, failed: set[str]) -> Iterator[tuple[str, Fate]]:
    """Of a loop's body, from what was seen of it: what did nothing in any turn was skipped, if there were turns."""
    if loop.body is None:
        return
    of_body: dict[str, Fate] = {}
    for step in loop.body.steps:
        inner = dict(_fates_inside(step, seen, failed))
        of_body |= inner
        outcomes = [outcome for (name, _), outcome in seen.outcomes.items() if name == step.id]
        bad = [outcome.failure for outcome in outcomes if isinstance(outcome, Failed | Unknown)]
        # A loop in a loop never acts itself: it ran where its body did.
        has_run = len(bad) < len(outcomes) or any(fate.ran for fate in inner.values())
        if has_run or bad or step.id in failed:
            said = (
                f"failed ({bad[0].code}): {bad[0].message}" if bad else "failed" if step.id in failed else "succeeded"
            )
            of_body[step.id] = Fate(ran=has_run, failed=bool(bad) or step.id in failed, said=said)
    had_turns = any(fate.ran or fate.failed for fate in of_body.values())
    for step in loop.body.steps:
        of_body.setdefault(step.id, Fate(skipped=True, said="skipped in every turn") if had_turns else Fate())
    yield from of_body.items()


def _failed_inside(steps: Sequence[StepDetails]) -> Iterator[str]:
    """The steps of loops' bodies that a loop's value, or its failure, names as failed."""
    for step in steps:
        value: Json = step.output
        told: Json = value.get("failed") if isinstance(value, dict) else None
        if step.failure is not None:
            told = step.failure.get("detail")
        for each in told if isinstance(told, list) else [{"error": told}]:
            error = each.get("error") if isinstance(each, dict) else None
            name = error.get("step") if isinstance(error, dict) else None
            if isinstance(name, str):
                yield name


def _port(outcome: Outcome) -> str:
    return outcome.port if isinstance(outcome, Succeeded | Waits) else "error"

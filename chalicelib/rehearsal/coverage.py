"""What of a flow its cases have gone through: steps that ran, ports that steps were left by."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.rehearsal.happened import Happened


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a flow ran in some case, and what in none. A sum where several are added."""

    steps: int
    ports: int
    unrun: tuple[str, ...]
    """Steps that ran in no case."""
    unleft: tuple[str, ...]
    """Ports, as `step.port`, that no case took."""

    @property
    def steps_run(self) -> int:
        """How many steps ran in some case."""
        return self.steps - len(self.unrun)

    @property
    def ports_left(self) -> int:
        """How many ports some case took."""
        return self.ports - len(self.unleft)


def coverage(plan: Plan, cases: Iterable[Happened]) -> Coverage:
    """What of a flow's steps and ports these cases went through.

    Ports are those of steps that have several of their own (`switch`, `approval`), and the `error` of every step whose
    failure somebody handles.
    """
    went = list(cases)
    return coverage_of(
        plan, {name for each in went for name in each.ran}, {port for each in went for port in each.ports}
    )


def coverage_of(plan: Plan, ran: Collection[str], left: Collection[str]) -> Coverage:
    """The same, where it is known which steps ran in some case, and which ports some case took."""
    steps = sorted(plan.by_id.values(), key=lambda step: step.ordinal)
    ports = [port for step in steps for port in _ports(step)]
    return Coverage(
        steps=len(steps),
        ports=len(ports),
        unrun=tuple(step.id for step in steps if step.id not in ran),
        unleft=tuple(port for port in ports if port not in left),
    )


def total(parts: Iterable[tuple[str, Coverage]]) -> Coverage:
    """Several flows in one, each by its name."""
    found = list(parts)
    return Coverage(
        steps=sum(each.steps for _, each in found),
        ports=sum(each.ports for _, each in found),
        unrun=tuple(f"{flow}: {name}" for flow, each in found for name in each.unrun),
        unleft=tuple(f"{flow}: {name}" for flow, each in found for name in each.unleft),
    )


def _ports(step: StepPlan) -> list[str]:
    own = list(step.ports) if len(step.ports) > 1 else []
    return [f"{step.id}.{port}" for port in (*own, *(["error"] if step.is_handled else []))]

"""Everything in a flow that can be named and waited for: triggers and steps, with where they stand and how they end."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.flow.entries import ONLY_DONE, Catalogue, find_entry, ports_of
from chalicelib.flow.model import COMMON_PORTS, Alternatives, FlowModel, StepModel
from chalicelib.flow.plan import Need


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names are looked up: `steps` or `on_failure`, and the loops around, outermost first."""

    area: str = "steps"
    loops: tuple[str, ...] = ()

    def inside(self, loop: str) -> "Scope":
        """The scope of a loop's body."""
        return Scope(self.area, (*self.loops, loop))

    def sees(self, other: "Scope") -> bool:
        """Whether steps of the other scope can be mentioned here: it is this one or one around it."""
        return self.area == other.area and self.loops[: len(other.loops)] == other.loops


TOP = Scope()


@dataclass(frozen=True, slots=True)
class Source:
    """A trigger or a step, as others see it."""

    id: str
    scope: Scope
    ports: tuple[str, ...] = ONLY_DONE
    has_on_error: bool = False
    is_trigger: bool = False
    is_known: bool = True
    """False where its node does not exist; its ports are then those that others name."""

    def may_leave_by(self, port: str | None) -> bool:
        """Whether it has such a port; a trigger is only started, or not."""
        return port in {None, *COMMON_PORTS} or port in self.ports

    @property
    def has_bare_meaning(self) -> bool:
        """Whether its bare name says how it ended."""
        return self.ports == ONLY_DONE or not self.is_known


def sources_of(flow: FlowModel, catalogue: Catalogue) -> Mapping[str, Source]:
    """Every trigger and step by its id; of two with one id, the first."""
    found = {trigger.id: Source(trigger.id, TOP, is_trigger=True) for trigger in flow.triggers}
    for scope, steps in scopes_of(flow):
        for step in steps:
            known = find_entry(catalogue, step.uses)
            ports = ports_of(known[1], step.parameters) if known else _named_ports(flow, step.id)
            found.setdefault(step.id, Source(step.id, scope, ports, step.has_on_error, is_known=known is not None))
    return found


def _named_ports(flow: FlowModel, name: str) -> tuple[str, ...]:
    """The ports that others name of a step."""
    entries = (entry for step in flow.walk() for entry in step.after)
    named = (one for entry in entries for one in (entry.members if isinstance(entry, Alternatives) else (entry,)))
    ports = (one.port for one in named if one.source == name and one.port not in {None, *COMMON_PORTS})
    return tuple(dict.fromkeys(["done", *(port for port in ports if port)]))


def scopes_of(flow: FlowModel) -> list[tuple[Scope, tuple[StepModel, ...]]]:
    """Each scope with its steps: the flow's own, `on_failure`, and every loop's body."""
    found = [(TOP, flow.steps), (Scope("on_failure"), flow.on_failure)]
    for scope, steps in found:
        found.extend((scope.inside(step.id), step.body) for step in steps if step.body)
    return found


def allowed_endings(need: Need, ports: tuple[str, ...], *, is_trigger: bool, may_fail: bool) -> frozenset[str]:
    """The endings of the source under which the need holds (the table of design 3.2)."""
    everything = {"done", "skipped"} if is_trigger else {*ports, "skipped", *(["error"] if may_fail else [])}
    match need.port:
        case "settled":
            return frozenset(everything)
        case "done":
            return frozenset({"done"} if is_trigger else ports)
        case port:
            return frozenset({port} & everything)

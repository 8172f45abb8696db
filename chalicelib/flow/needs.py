"""What each step waits for: `after` and mentions made into one list of needs (design 3.2).

A mention of a step by a step beside it is a need of that step. A mention from inside a loop of a step outside wires the
loop that stands beside it. What cannot be resolved (a name nobody has, a step of another scope) makes no need here:
`check_names.py` refuses it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.flow.model import Alternatives, FlowModel, Named, StepModel
from chalicelib.flow.plan import Group, Need
from chalicelib.flow.sources import Scope, Source, scopes_of
from chalicelib.flow.spots import Use


@dataclass(frozen=True, slots=True)
class Wiring:
    """What one step waits for, and whose values it reads."""

    needs: tuple[Need, ...] = ()
    groups: tuple[Group, ...] = ()
    mentions: tuple[str, ...] = ()
    """Every step that it, or its body, reads, in the order of reading; steps inside its own body left out."""
    written: tuple[Need, ...] = ()
    """The plain needs that `after` names."""
    mentioned: tuple[tuple[Need, Use], ...] = ()
    """The plain needs that mentions make, each with the first that makes it."""


@dataclass(frozen=True, slots=True)
class Wired:
    """The wiring of a whole flow."""

    steps: Mapping[str, Wiring]
    named_errors: frozenset[str]
    """Steps whose `error` somebody names, or whose failure somebody reads: what fails there is handled."""
    output: tuple[str, ...]
    """The steps that the flow's `output` reads."""


@dataclass(slots=True)
class _Collected:
    """The uses that concern one step: those that make its needs, and all it reads."""

    waits: list[Use] = field(default_factory=list[Use])
    reads: dict[str, None] = field(default_factory=dict[str, None])


def wire(flow: FlowModel, sources: Mapping[str, Source], uses: Iterable[Use]) -> Wired:
    """Resolve all needs of a flow."""
    collected: dict[str, _Collected] = {}
    named: set[str] = set()
    output: dict[str, None] = {}
    for use in uses:
        source = sources.get(use.mention.id)
        if source is None or source.is_trigger:
            continue
        if use.mention.kind == "errors":
            named.add(source.id)
        spot = use.text.spot
        if not spot.owner:
            output[source.id] = None
            continue
        for reader in _readers(use, source):
            collected.setdefault(reader, _Collected()).reads[source.id] = None
        waiter = waiter_of(use, source)
        if waiter is not None:
            collected.setdefault(waiter, _Collected()).waits.append(use)
    wirings: dict[str, Wiring] = {}
    for scope, steps in scopes_of(flow):
        for step in steps:
            if step.id not in wirings:
                wirings[step.id] = _wiring(step, scope, sources, collected.get(step.id, _Collected()))
    for wiring in wirings.values():
        every = (*wiring.needs, *(need for group in wiring.groups for need in group.needs))
        named.update(need.source for need in every if need.port == "error")
    return Wired(wirings, frozenset(named), tuple(output))


def waiter_of(use: Use, source: Source) -> str | None:
    """The step that a mention makes wait: its owner, or the loop around it that stands beside what is mentioned."""
    spot = use.text.spot
    if not spot.owner or not spot.scope.sees(source.scope):
        return None
    depth = len(source.scope.loops)
    if len(spot.scope.loops) > depth:
        return spot.scope.loops[depth]
    return None if spot.is_output else spot.owner


def _readers(use: Use, source: Source) -> list[str]:
    """The steps in whose name a value is read: the owner, and each loop around it that the source stands outside of."""
    spot = use.text.spot
    if not spot.scope.sees(source.scope):
        return []
    around = list(spot.scope.loops[len(source.scope.loops) :])
    return around if spot.is_output else [*around, spot.owner]


def _wiring(step: StepModel, scope: Scope, sources: Mapping[str, Source], collected: _Collected) -> Wiring:
    written: dict[Need, None] = {}
    groups: list[Group] = []
    for entry in step.after:
        match entry:
            case Named():
                if _is_beside(entry, scope, sources):
                    written[_need(entry)] = None
            case Alternatives(at_least, members):
                needs = tuple(dict.fromkeys(_need(member) for member in members if _is_beside(member, scope, sources)))
                if needs:
                    groups.append(Group(at_least, needs))
    grouped = {need.source for group in groups for need in group.needs}
    mentioned: dict[Need, Use] = {}
    for use in collected.waits:
        if sources[use.mention.id].scope != scope:
            continue  # two steps of one name: refused, and not this one's mention
        need = mention_need(use, sources[use.mention.id])
        # Of a group a step sees what fired it, and lives with the rest: such a mention adds no need.
        if not (use.mention.way_out and use.mention.id in grouped):
            mentioned.setdefault(need, use)
    everything = tuple(dict.fromkeys([*written, *mentioned]))
    return Wiring(
        needs=tuple(need for need in everything if not _is_implied(need, everything)),
        groups=tuple(groups),
        mentions=tuple(collected.reads),
        written=tuple(written),
        mentioned=tuple(mentioned.items()),
    )


def mention_need(use: Use, source: Source) -> Need:
    """What a mention waits for: the value, the failure, or with a way out only that the step is settled."""
    if use.mention.way_out or (use.mention.kind == "errors" and source.has_on_error):
        return Need(source.id, "settled")
    return Need(source.id, "error" if use.mention.kind == "errors" else "done")


def _need(named: Named) -> Need:
    return Need(named.source, named.port or "done")


def _is_beside(named: Named, scope: Scope, sources: Mapping[str, Source]) -> bool:
    source = sources.get(named.source)
    return source is not None and source.scope == scope and source.may_leave_by(named.port)


def _is_implied(need: Need, needs: tuple[Need, ...]) -> bool:
    """Whether another need on the same source already says as much."""
    others = {other.port for other in needs if other.source == need.source and other != need}
    if need.port == "settled":
        return bool(others)
    return need.port == "done" and bool(others - {"error", "skipped", "settled"})

"""Checks whether every step can ever run, every alternative can ever fire, and every mention finds its value."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from chalicelib.flow import outcomes
from chalicelib.flow.check_names import at_use
from chalicelib.flow.findings import Finding, quoted
from chalicelib.flow.model import FlowModel, StepModel
from chalicelib.flow.needs import Wired, Wiring
from chalicelib.flow.outcomes import SKIPPED, Literal, Outcomes
from chalicelib.flow.plan import Group, Need
from chalicelib.flow.sources import TOP, Scope, Source, allowed_endings, scopes_of
from chalicelib.flow.spots import Use
from chalicelib.flow.values import Pointer

_PATH = re.compile(r"\$?(?:steps|errors)(?:\s*\.\s*(?:[A-Za-z_]\w*|'[^']*'|\"[^\"]*\"|`[^`]*`))+")


@dataclass(frozen=True, slots=True)
class Judged:
    """One scope's possible runs, with what is needed to ask about them."""

    outcomes: Outcomes
    sources: Mapping[str, Source]
    wired: Wired

    def literal(self, need: Need) -> Literal:
        """A need as the search understands it."""
        source = self.sources[need.source]
        return need.source, self.endings(source, need.port)

    def endings(self, source: Source, port: str) -> frozenset[str]:
        """The endings of a source under which a need on this port holds."""
        may_fail = source.id in self.wired.named_errors and not source.has_on_error
        return allowed_endings(Need(source.id, port), source.ports, is_trigger=source.is_trigger, may_fail=may_fail)


def judge(
    scope: Scope, steps: Sequence[StepModel], order: Sequence[str], sources: Mapping[str, Source], wired: Wired
) -> Judged:
    """Prepare the questions about one scope; `order` has its sources before what waits for them, circles left out."""
    judged = Judged(Outcomes({}), sources, wired)
    found: dict[str, outcomes.Source] = {}
    if scope == TOP:
        triggers = [source for source in sources.values() if source.is_trigger]
        found |= {one.id: outcomes.Source(one.id, ("done",), is_trigger=True) for one in triggers}
    by_id = {step.id: step for step in steps}
    for name in order:
        wiring = wired.steps[name]
        endings = judged.endings(sources[name], "settled") - {SKIPPED}
        found[name] = outcomes.Source(
            name,
            tuple(port for port in (*sources[name].ports, "error") if port in endings),
            tuple(judged.literal(need) for need in wiring.needs),
            tuple(_number(group, judged) for group in wiring.groups),
            may_decline="if" in by_id[name].data,
        )
    return replace(judged, outcomes=Outcomes(found))


def _number(group: Group, judged: Judged) -> tuple[int, tuple[Literal, ...]]:
    return group.at_least or 1, tuple(judged.literal(need) for need in group.needs)


def check_runs(flow: FlowModel, judged: Mapping[Scope, Judged], faulty: Collection[Pointer]) -> Iterator[Finding]:
    """Every step that can never run, by its own fault; every mention that kills an alternative.

    `faulty` steps name what does not exist: nothing more is said of them.
    """
    for scope, steps in scopes_of(flow):
        if scope not in judged:
            continue
        one = judged[scope]
        impossible: set[str] = set()
        for step in steps:
            if step.id not in one.outcomes.sources:
                continue
            if one.outcomes.may_run(step.id):
                if step.pointer not in faulty:
                    yield from _check_alternatives(step, one)
            else:
                impossible.add(step.id)
        for step in steps:
            if step.id in impossible and step.pointer not in faulty:
                yield from _explain(step, one, impossible)


def _explain(step: StepModel, judged: Judged, impossible: set[str]) -> Iterator[Finding]:
    """Why a step can never run; nothing where that only follows from a source that cannot either."""
    wiring = judged.wired.steps[step.id]
    killed = _killing_mention(step, judged)
    if killed is not None:
        yield killed
        return
    literals = {need: judged.literal(need) for need in wiring.needs}
    for need, literal in literals.items():
        if not literal[1]:
            yield _at(step, f"`{step.id}` can never run: `{_text(need)}` never happens.", _never(need))
            return
        if not judged.outcomes.possible([literal]):
            if need.source not in impossible:
                yield _at(step, f"`{step.id}` can never run: `{_text(need)}` never happens.", _never(need))
            return
    for first, second in combinations(wiring.needs, 2):
        if not judged.outcomes.possible([literals[first], literals[second]]):
            yield _exclude_each_other(step, first, second, judged)
            return
    if any(need.source in impossible for group in wiring.groups for need in group.needs):
        return
    parts = [_text(need) for need in wiring.needs] + [_text(need) for group in wiring.groups for need in group.needs]
    what = f"`{step.id}` can never run: {quoted(parts)} can never hold as it asks."
    yield _at(step, what, "Put alternatives into a group of their own: {any: [...]}.")


def _exclude_each_other(step: StepModel, first: Need, second: Need, judged: Judged) -> Finding:
    left = judged.outcomes.forced([judged.literal(first)])
    right = judged.outcomes.forced([judged.literal(second)])
    clash = next((name for name in left if name in right and not left[name] & right[name]), "")
    a, b = _behind(first, clash, left, judged), _behind(second, clash, right, judged)
    names = ", ".join(_text(need) for need in (first, second))
    what = f"`{step.id}` can never run: {a} and {b} exclude each other."
    wiring = judged.wired.steps[step.id]
    for need, use in wiring.mentioned:
        if need in {first, second} and need not in wiring.written and need.port == "done":
            return at_use(use, what, f"It waits for `{need.source}` by using it. {_way_out(use)}")
    return _at(step, what, f"Write after: {{any: [{names}]}}.")


def _behind(need: Need, clash: str, forced: Mapping[str, frozenset[str]], judged: Judged) -> str:
    """`size.else`, or where the clash lies further up: `approve.approved` (behind `size.large`)."""
    if not clash or clash == need.source or judged.sources[need.source].is_trigger:
        return f"`{_text(need)}`"
    endings = sorted(forced[clash])
    ports = judged.sources[clash].ports
    bare = judged.sources[clash].is_trigger or endings == list(ports) == ["done"]
    reason = clash if bare and SKIPPED not in endings else f"{clash}.{endings[0]}"
    return f"`{_text(need)}` (behind `{reason}`)"


def _check_alternatives(step: StepModel, judged: Judged) -> Iterator[Finding]:
    """Alternatives that can never fire because of the step's other needs, in a step that can run."""
    wiring = judged.wired.steps[step.id]
    if not wiring.groups:
        return
    killed = _killing_mention(step, judged)
    if killed is not None:
        yield killed
        return
    own = [judged.literal(need) for need in wiring.needs]
    for group in wiring.groups:
        for need in group.needs:
            literal = judged.literal(need)
            if not (literal[1] and judged.outcomes.possible([*own, literal])):
                if not (literal[1] and judged.outcomes.possible([literal])):
                    what, do = f"`{_text(need)}` never happens, so it is no alternative.", _never(need)
                else:
                    others = quoted([_text(other) for other in wiring.needs])
                    what = f"`{_text(need)}` is no alternative for `{step.id}`: it excludes {others}, needed as well."
                    do = "Remove it from the group, or move what excludes it into the group."
                yield _at(step, what, do)


def _killing_mention(step: StepModel, judged: Judged) -> Finding | None:
    """A mention without a way out of a step that may be missing when an alternative fires."""
    wiring = judged.wired.steps[step.id]
    grouped = {need.source for group in wiring.groups for need in group.needs}
    for mentioned, use in wiring.mentioned:
        if mentioned.port == "settled" or mentioned in wiring.written or not wiring.groups:
            continue
        name, allowed = judged.literal(mentioned)
        others = [judged.literal(need) for need in wiring.needs if need.source != name]
        others += [judged.literal(need) for need in wiring.written if need.source == name]
        missing = (name, judged.outcomes.domain(name) - allowed)
        for group in wiring.groups:
            for need in group.needs:
                alternative = judged.literal(need)
                if not alternative[1] or not judged.outcomes.possible([*others, alternative]):
                    continue
                if name in grouped:
                    is_lost = bool(missing[1]) and judged.outcomes.possible([*others, alternative, missing])
                else:
                    is_lost = not judged.outcomes.possible([*others, alternative, (name, allowed)])
                if is_lost:
                    return _may_run_without(step, need, use)
    return None


def _may_run_without(step: StepModel, through: Need, use: Use) -> Finding:
    what = f"`{step.id}` may run without `{use.mention.id}` (through {_text(through)}), but uses `{_path(use)}`."
    return at_use(use, what, _way_out(use))


def _way_out(use: Use) -> str:
    path = _path(use)
    instead = '"nobody"' if path.endswith(".by") else '"none"'
    return f"Give it a way out: ${{ {path} ?? {instead} }}."


def _path(use: Use) -> str:
    found = _PATH.match(use.hole.text, use.mention.offset)
    return found.group() if found else f"{use.mention.kind}.{use.mention.id}"


def check_outputs(uses: Sequence[Use], judged: Mapping[Scope, Judged]) -> Iterator[Finding]:
    """Warnings: what `output` reads and may be missing, because its step may be skipped or fail."""
    for use in uses:
        spot = use.text.spot
        name = use.mention.id
        one = judged.get(spot.scope)
        if not spot.is_output or use.mention.way_out or one is None or name not in one.outcomes.sources:
            continue
        source = one.sources[name]
        allowed = one.endings(source, "error" if use.mention.kind == "errors" else "done")
        missing = one.outcomes.domain(name) - allowed
        if source.is_trigger or use.mention.kind == "errors" or not missing:
            continue
        if one.outcomes.possible([(name, missing)]):
            path = _path(use)
            what = f"`{name}` may be skipped or fail, and then `{path}` is missing."
            yield at_use(use, what, f"Give it a way out: ${{ {path} ?? null }}.")


def _at(step: StepModel, what: str, do: str) -> Finding:
    """A finding at the step's `after`, or where it has none at its id."""
    if "after" in step.data:
        return Finding((*step.pointer, "after"), what, do)
    return Finding(step.pointer, what, do, at_key=True)


def _text(need: Need) -> str:
    return need.source if need.port == "done" else f"{need.source}.{need.port}"


def _never(need: Need) -> str:
    if need.port == "skipped":
        return f"`{need.source}` always runs; name it alone, or `{need.source}.error`."
    return "Remove it, or mend what it names."


def waits_of(wiring: Wiring) -> list[str]:
    """The sources that a step waits for."""
    return [need.source for need in (*wiring.needs, *(need for group in wiring.groups for need in group.needs))]

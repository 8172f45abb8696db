"""Checks every expression: that it can be read and compiled, that its names exist, and that its place can take it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.flow.entries import Catalogue
from chalicelib.flow.expressions import compile_check
from chalicelib.flow.findings import Finding, did_you_mean, quoted
from chalicelib.flow.heads import EVERY_TRIGGER, Head, heads_of, known_below
from chalicelib.flow.mentions import Analysis, analyse
from chalicelib.flow.model import FlowModel, TriggerModel
from chalicelib.flow.needs import Wired
from chalicelib.flow.scanner import Hole
from chalicelib.flow.sources import Source
from chalicelib.flow.spots import LANE_NAMES, TRIGGER_NAMES, Spot, Text
from chalicelib.flow.targets import UNTYPED
from chalicelib.flow.values import Json

_MANY = "This is nothing, one object or a list, depending on how many rows match."
_MANY_DO = "Write ${ [ ... ] } for a list, or ${ ...[0] } for the first."
_EACH_DO = "Write ${ [ ... ] } for a list, or ${ ( ... )[0] } for the first."
_EACH_OWN_DO = (
    "As it stands, [0] takes the first of each row. Write ${ [ ... ] } for a list, or ${ ( ... )[0] } for the first."
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What expressions can refer to, beside steps."""

    flow: FlowModel
    known: Mapping[str, tuple[str, ...]]
    wired: Wired
    sources: Mapping[str, Source]


def check_expressions(
    flow: FlowModel, catalogue: Catalogue, texts: Sequence[Text], wired: Wired, sources: Mapping[str, Source]
) -> tuple[list[Finding], list[Finding]]:
    """Every mistake in the flow's expressions, and what is only warned of."""
    around = Surroundings(flow, known_below(flow, catalogue), wired, sources)
    problems: list[Finding] = []
    warnings: list[Finding] = []
    for text in texts:
        if text.not_closed is not None:
            do = "Close it with }. A literal ${ is written $${; in YAML, ` #` in an unquoted value begins a comment."
            problems.append(Finding(text.pointer, "`${` is not closed.", do, offset=text.not_closed))
        elif _is_fixed(text.spot):
            what = "A trigger's parameters are fixed when the flow is published: they take no expression."
            problems.append(Finding(text.pointer, what, "Write the value itself."))
        else:
            problems.extend(_check_text(text, around))
            warnings.extend(
                Finding(text.pointer, one.what, one.do, offset=hole.offset + one.offset)
                for hole, analysis in text.holes
                for one in analysis.warnings
            )
    return problems, warnings


def _is_fixed(spot: Spot) -> bool:
    return not spot.names


def _check_text(text: Text, around: Surroundings) -> Iterator[Finding]:
    for hole, analysis in text.holes:
        for one in analysis.mistakes:
            yield Finding(text.pointer, one.what, one.do, offset=hole.offset + one.offset)
        if not analysis.mistakes:
            yield from _check_hole(text, hole, analysis, around)


def _check_hole(text: Text, hole: Hole, analysis: Analysis, around: Surroundings) -> Iterator[Finding]:
    spot = text.spot
    wrong = None if analysis.path is not None else compile_check(analysis.rewritten)
    if wrong is not None:
        yield Finding(text.pointer, wrong.what, wrong.do, offset=_start(hole))
        return
    if analysis.mentions and spot.names <= LANE_NAMES:
        mention = analysis.mentions[0]
        what = f"`{mention.kind}.{mention.id}`: no step has run yet when a trigger starts the flow."
        do = f"Use {quoted([name for name in ('trigger', 'inputs', 'vars') if name in spot.names])} here."
        yield Finding(text.pointer, what, do, offset=hole.offset + mention.offset)
    if text.is_whole and text.target == UNTYPED and analysis.shape == "any" and _is_place_known(text, around):
        # What goes on after its filter has [0] taken of each row, not of all.
        is_first = analyse(f"{hole.text.rstrip()}[0]", spot.names).shape == "one"
        do = _MANY_DO if is_first else _EACH_OWN_DO if hole.text.rstrip().endswith("[0]") else _EACH_DO
        yield Finding(text.pointer, _MANY, do, offset=_start(hole))
    roots = analysis.names & (around.known.keys() | {"trigger"})
    if roots:
        for head in heads_of(hole.text, roots):
            yield from _check_head(head, text, hole, around)


def _is_place_known(text: Text, around: Surroundings) -> bool:
    """Whether its place is what it seems: parameters of a node that does not exist only look untyped."""
    source = around.sources.get(text.spot.owner)
    return source is None or source.is_known or "with" not in text.pointer


def _start(hole: Hole) -> int:
    """Where the expression itself begins, white space left out."""
    return hole.offset + len(hole.text) - len(hole.text.lstrip())


def _check_head(head: Head, text: Text, hole: Hole, around: Surroundings) -> Iterator[Finding]:
    known = around.known.get(head.root)
    at = hole.offset + head.offset
    if known is not None and head.name not in known:
        what = f"There is no `{head.root}.{head.name[:60]}`.{did_you_mean(head.name, known)}"
        do = f"Names here: {', '.join(known)}." if known else f"Declare it below `{head.root}`."
        yield Finding(text.pointer, what, do, offset=at)
    elif head.root == "trigger" and head.name not in EVERY_TRIGGER and not _starts_here(text.spot, around):
        names = quoted([trigger.id for trigger in around.flow.triggers], "or")
        what = f"`{head}` depends on which trigger started the flow: {names}."
        do = "Let each trigger fill `inputs` and use those, or let the step be `after` its trigger."
        yield Finding(text.pointer, what, do, offset=at)


def _starts_here(spot: Spot, around: Surroundings) -> bool:
    """Whether only one trigger can have led here: the spot is its own, or a need leads back to it."""
    if spot.names == TRIGGER_NAMES or len(around.flow.triggers) < 2:
        return True
    if spot.scope.area != "steps" or not spot.owner:
        return False
    waiting = [spot.scope.loops[0] if spot.scope.loops else spot.owner]
    seen = set(waiting)
    while waiting:
        wiring = around.wired.steps.get(waiting.pop())
        for need in wiring.needs if wiring else ():
            source = around.sources.get(need.source)
            if need.port in {"skipped", "settled"} or source is None or source.id in seen:
                continue
            if source.is_trigger:
                return True
            seen.add(source.id)
            waiting.append(source.id)
    return False


def check_trigger_inputs(flow: FlowModel, fills_alone: frozenset[str]) -> Iterator[Finding]:
    """How each trigger fills the flow's inputs; `fills_alone` are the triggers whose starter gives them."""
    required = [name for name, schema in flow.inputs.items() if _is_required(schema)]
    for trigger in flow.triggers:
        if "inputs" in trigger.data:
            yield from _check_filled(trigger, flow, required)
        elif required and trigger.id not in fills_alone:
            what = f"The trigger `{trigger.id}` does not fill the input {quoted(required)}."
            do = f"Add `inputs:` to it, such as {{{required[0]}: ${{ trigger.body.{required[0]} }}}}."
            yield Finding(trigger.pointer, what, do, at_key=True)


def _check_filled(trigger: TriggerModel, flow: FlowModel, required: list[str]) -> Iterator[Finding]:
    filled = trigger.data["inputs"]
    at = (*trigger.pointer, "inputs")
    if isinstance(filled, str) and "${" in filled:
        return
    if not isinstance(filled, dict):
        yield Finding(at, "`inputs` is a map, or one expression that gives one.", 'Write {name: "${ ... }"}.')
        return
    for name in filled:
        if name not in flow.inputs:
            what = f"The flow declares no input `{name[:60]}`.{did_you_mean(name, flow.inputs)}"
            yield Finding((*at, name), what, "Declare it below the flow's `inputs`.", at_key=True)
    missing = [name for name in required if name not in filled]
    if missing:
        what = f"The trigger `{trigger.id}` does not fill the input {quoted(missing)}."
        yield Finding(at, what, "Add it, or give the input a default.", at_key=True)


def _is_required(schema: Json) -> bool:
    return isinstance(schema, dict) and "default" not in schema and schema.get("optional") is not True

"""Where a flow holds expressions: each text with a `${`, what it becomes, which names it sees, and whose it is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from chalicelib.flow.entries import Catalogue, Entry, entry_of, schema_of
from chalicelib.flow.mentions import Analysis, Mention, analyse
from chalicelib.flow.model import FlowModel, StepModel, TriggerModel
from chalicelib.flow.scanner import Hole, NotClosed, has_hole, scan
from chalicelib.flow.sources import TOP, Scope, scopes_of
from chalicelib.flow.targets import CONDITION, TEXT, UNTYPED, VERBATIM, ListOf, ObjectOf, OneOf, Target, target_of
from chalicelib.flow.values import Json, Pointer

TRIGGER_NAMES = frozenset({"trigger", "vars"})
LANE_NAMES = frozenset({"trigger", "inputs", "vars"})
"""What tells the executions of a flow apart before the first of its steps."""
FLOW_NAMES = frozenset({"trigger", "inputs", "vars", "execution"})
FAILURE_NAMES = FLOW_NAMES | {"failure"}

LANE = "concurrency.key"
"""Whose the expression of a lane is: no step's, and no trigger's (an id has no dot)."""

READ_IN_BODY = frozenset({"until"})
"""Parameters of a loop that are read inside its body, after each round."""


_NAMING = re.compile("steps|errors|links")


@dataclass(frozen=True, slots=True)
class Spot:
    """One value that may hold expressions, and everything that its place says about it."""

    pointer: Pointer
    value: Json
    target: Target
    names: frozenset[str]
    scope: Scope
    owner: str
    """The step or trigger it belongs to; empty for the flow's `output`, `LANE` for the key of `concurrency`."""
    is_output: bool = False
    """Read at the end of a scope rather than before a step: mentioning a step there wires nothing."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text with expressions in it, and what they say; `is_whole` where it is nothing but one expression."""

    spot: Spot
    pointer: Pointer
    text: str
    target: Target
    holes: tuple[tuple[Hole, Analysis], ...]
    is_whole: bool
    not_closed: int | None = None
    """Where a `${` begins that nothing closes."""


@dataclass(frozen=True, slots=True)
class Use:
    """A mention of a step, and where it stands."""

    mention: Mention
    hole: Hole
    text: Text


def spots_of(flow: FlowModel, catalogue: Catalogue) -> Iterator[Spot]:
    """Every place of the flow that may hold expressions."""
    if flow.concurrency is not None and flow.concurrency.key is not None:
        yield Spot(("concurrency", "key"), flow.concurrency.key, TEXT, LANE_NAMES, TOP, LANE)
    for trigger in flow.triggers:
        yield from _of_trigger(trigger, flow)
    names: dict[Scope, frozenset[str]] = {TOP: FLOW_NAMES, Scope("on_failure"): FAILURE_NAMES}
    for scope, steps in scopes_of(flow):
        for step in steps:
            if step.is_loop:
                names[scope.inside(step.id)] = names[scope] | step.loop_names
            yield from of_step(step, entry_of(catalogue, step.uses), scope, names[scope])
    if "output" in flow.data:
        yield Spot(("output",), flow.data["output"], UNTYPED, FLOW_NAMES, TOP, "", is_output=True)


def of_step(step: StepModel, entry: Entry, scope: Scope, names: frozenset[str]) -> Iterator[Spot]:
    """The places of one step, in the order they are read: `if`, its parameters, `on_error`, a loop's `output`."""
    inner, inner_names = scope.inside(step.id), names | step.loop_names
    if "if" in step.data:
        yield Spot((*step.pointer, "if"), step.data["if"], CONDITION, names, scope, step.id)
    target = parameters_target(entry)
    for name, value in step.parameters.items():
        at, place = (*step.pointer, "with", name), field_of(target, name)
        if step.is_loop and name in READ_IN_BODY:
            yield Spot(at, value, place, inner_names, inner, step.id, is_output=True)
        else:
            yield Spot(at, value, place, names, scope, step.id)
    if step.on_error is not None:
        yield Spot((*step.pointer, "on_error", "use"), step.on_error, UNTYPED, names, scope, step.id)
    if step.is_loop and "output" in step.data:
        at = (*step.pointer, "output")
        yield Spot(at, step.data["output"], UNTYPED, inner_names, inner, step.id, is_output=True)


def _of_trigger(trigger: TriggerModel, flow: FlowModel) -> Iterator[Spot]:
    for key, target in (("if", CONDITION), ("dedupe", TEXT), ("inputs", inputs_target(flow.inputs))):
        if key in trigger.data:
            yield Spot((*trigger.pointer, key), trigger.data[key], target, TRIGGER_NAMES, TOP, trigger.id)
    for name, value in trigger.parameters.items():
        yield Spot((*trigger.pointer, "with", name), value, UNTYPED, frozenset(), TOP, trigger.id)


def parameters_target(entry: Entry) -> Target:
    """The places of a node's parameters."""
    return target_of(schema_of(entry))


def inputs_target(inputs: Mapping[str, Json]) -> Target:
    """The places of the flow's inputs, as a trigger fills them; without a declaration anything goes."""
    if not inputs:
        return UNTYPED
    try:
        target = target_of({"type": "object", "properties": dict(inputs)})
    except (ValueError, RecursionError):
        return UNTYPED  # the check of inputs refuses such a schema
    # What is missing is found by `flow.inputs`, which knows the defaults.
    return replace(target, optional=frozenset(inputs)) if isinstance(target, ObjectOf) else target


def field_of(target: Target, name: str | int) -> Target:
    """The place of a field or an entry within a place."""
    match target:
        case ObjectOf(fields=fields, others=others) if isinstance(name, str):
            return fields.get(name, others)
        case ListOf(items=items) if isinstance(name, int):
            return items
        case OneOf(branches=branches):
            kind = ObjectOf if isinstance(name, str) else ListOf
            fitting = [branch for branch in branches if isinstance(branch, kind)]
            return field_of(fitting[0], name) if len(fitting) == 1 else UNTYPED
        case _:
            return UNTYPED


def texts_of(spot: Spot, *, mentions_only: bool = False) -> Iterator[Text]:
    """Every text with an expression within a spot; without recursion, for values nest as deep as they like.

    With `mentions_only`, expressions that can name no step and no link are left out: the plan asks for nothing else.
    """
    waiting: list[tuple[Pointer, Json, Target]] = [(spot.pointer, spot.value, spot.target)]
    while waiting:
        pointer, value, target = waiting.pop()
        if isinstance(value, str):
            if has_hole(value) and target != VERBATIM:
                yield _text(spot, pointer, value, target, mentions_only=mentions_only)
        elif isinstance(value, dict):
            waiting.extend((((*pointer, key), part, field_of(target, key)) for key, part in reversed(value.items())))
        elif isinstance(value, list):
            rows = [((*pointer, index), part, field_of(target, index)) for index, part in enumerate(value)]
            waiting.extend(reversed(rows))


def _text(spot: Spot, pointer: Pointer, value: str, target: Target, *, mentions_only: bool) -> Text:
    try:
        pieces = scan(value)
    except NotClosed as error:
        return Text(spot, pointer, value, target, (), is_whole=False, not_closed=error.offset)
    cut = [piece for piece in pieces if isinstance(piece, Hole)]
    wanted = [hole for hole in cut if not mentions_only or _NAMING.search(hole.text)]
    holes = tuple((hole, analyse(hole.text, spot.names)) for hole in wanted)
    return Text(spot, pointer, value, target, holes, is_whole=len(pieces) == len(holes) == 1)


def uses_of(texts: Iterator[Text] | list[Text]) -> list[Use]:
    """Every mention of a step in these texts."""
    return [
        Use(mention, hole, text) for text in texts for hole, analysis in text.holes for mention in analysis.mentions
    ]

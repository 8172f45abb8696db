"""Checks what a flow declares: the schemas of its inputs, and that its vars hold plain values."""

import re
from collections.abc import Iterator, Mapping

from chalicelib.errors import ParameterError
from chalicelib.flow.findings import Finding, did_you_mean, either, shown
from chalicelib.flow.inputs import KINDS, fit_inputs
from chalicelib.flow.model import FlowModel
from chalicelib.flow.scanner import holds_hole
from chalicelib.flow.values import Json, Pointer

NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
SIZES = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
TEXTS = frozenset({"title", "description", "format", "pattern", "widget"})
KEYWORDS = (
    *(
        "type",
        "title",
        "description",
        "default",
        "optional",
        "enum",
        "const",
        "format",
        "pattern",
        "widget",
        "examples",
    ),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("minProperties", "maxProperties", "items", "properties", "required", "additionalProperties"),
)
"""What an input's schema may say; what nobody would hold a value against is refused rather than ignored."""

DEEPEST = 20


def check_inputs(flow: FlowModel) -> Iterator[Finding]:
    """Every mistake in `inputs` and `vars`."""
    for name, schema in flow.inputs.items():
        yield from _check_input(name, schema)
    for name, value in flow.variables.items():
        if holds_hole(value):
            what = f"The var `{name}` holds an expression: vars are plain values."
            yield Finding(("vars", name), what, "Write the value itself; a literal ${ is written $${.")


def _check_input(name: str, schema: Json) -> Iterator[Finding]:
    at: Pointer = ("inputs", name)
    if not isinstance(schema, dict):
        kind = schema if isinstance(schema, str) and schema in KINDS else "string"
        what = f"The input `{name}` is described by a map, not {shown(schema)}."
        yield Finding(at, what, f"Write {name}: {{type: {kind}}}.")
        return
    mistakes = list(_check_schema(schema, at))
    yield from mistakes
    if not mistakes:
        yield from _check_defaults(schema, at)


def _check_defaults(schema: Mapping[str, Json], pointer: Pointer) -> Iterator[Finding]:
    """Holds every default against the schema it stands in, which is a good one."""
    for at, one, _ in _parts(schema, pointer):
        if isinstance(one, dict) and "default" in one:
            try:
                fit_inputs({"default": one}, {"default": one["default"]})
            except ParameterError as error:
                what = error.problems[0].what
                yield Finding((*at, "default"), f"The default does not fit. {what}", "Mend it, or the schema.")


def _check_schema(schema: Mapping[str, Json], pointer: Pointer) -> Iterator[Finding]:
    for at, one, depth in _parts(schema, pointer):
        if not isinstance(one, dict):
            yield Finding(at, f"A schema is a map, not {shown(one)}.", "Write {type: string}.")
        elif depth > DEEPEST:
            yield Finding(at, f"A schema is at most {DEEPEST} levels deep.", "Describe the outer levels only.")
        else:
            for key, value in one.items():
                yield from _check_keyword(key, value, (*at, key))


def _parts(schema: Mapping[str, Json], pointer: Pointer) -> Iterator[tuple[Pointer, Json, int]]:
    """A schema and those inside it, each with its depth; nothing below the first that is too deep."""
    waiting: list[tuple[Pointer, Json, int]] = [(pointer, dict(schema), 0)]
    while waiting:
        at, one, depth = waiting.pop()
        yield at, one, depth
        if not isinstance(one, dict) or depth > DEEPEST:
            continue
        properties = one.get("properties")
        if isinstance(properties, dict):
            waiting.extend(((*at, "properties", key), part, depth + 1) for key, part in properties.items())
        if "items" in one:
            waiting.append(((*at, "items"), one["items"], depth + 1))
        others = one.get("additionalProperties", True)
        if not isinstance(others, bool):
            waiting.append(((*at, "additionalProperties"), others, depth + 1))


def _check_keyword(key: str, value: Json, at: Pointer) -> Iterator[Finding]:
    if key not in KEYWORDS:
        what = f"An input's schema has no `{key[:60]}` here.{did_you_mean(key, KEYWORDS)}"
        yield Finding(at, what, f"It knows: {', '.join(KEYWORDS)}.", at_key=True)
    elif key == "type":
        kinds = value if isinstance(value, list) else [value]
        for kind in kinds:
            if not isinstance(kind, str) or kind not in KINDS:
                hint = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
                yield Finding(at, f"`type` is {either(list(KINDS))}, not {shown(kind)}.{hint}", "Write one of these.")
    elif key == "pattern":
        yield from _check_pattern(value, at)
    else:
        wanted = _wanted(key, value)
        if wanted and key == "required" and isinstance(value, bool):
            what = "`required` lists the names of an object's fields; an input itself is required without it."
            do = "Take it out." if value else "Write `optional: true`, or give it a default."
            yield Finding(at, what, do, at_key=True)
        elif wanted:
            yield Finding(at, f"`{key}` is {wanted}, not {shown(value)}.", "Write that.")


def _wanted(key: str, value: Json) -> str:
    """What a keyword's value should be, where it is not."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in NUMBERS:
        return "" if is_number else "a number"
    if key in SIZES:
        return "" if isinstance(value, int) and is_number and value >= 0 else "a whole number from 0"
    if key in TEXTS:
        return "" if isinstance(value, str) else "a text"
    if key == "required":
        return "" if isinstance(value, list) and all(isinstance(one, str) for one in value) else "a list of names"
    if key in {"enum", "examples"}:
        return "" if isinstance(value, list) and (value or key != "enum") else "a list with entries"
    if key == "optional":
        return "" if isinstance(value, bool) else "true or false"
    return "" if key != "properties" or isinstance(value, dict) else "a map"


def _check_pattern(value: Json, at: Pointer) -> Iterator[Finding]:
    try:
        if isinstance(value, str):
            re.compile(value)
            return
        yield Finding(at, f"`pattern` is a regular expression, not {shown(value)}.", "Write a text.")
    except (re.error, RecursionError, OverflowError):
        yield Finding(at, "`pattern` is no regular expression.", "Mend it, or leave it out.")

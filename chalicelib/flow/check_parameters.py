"""Holds a step's parameters against its node's JSON Schema: unknown and missing ones, kinds, choices, bounds.

A value that is one expression fits everywhere: what comes out of it is judged when the step runs. What can be converted
without loss ("19.99" for a number, 3 for a text) fits too, as it does for expressions (design 3.3).
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.errors import ExpressionError
from chalicelib.flow.dates import read_duration
from chalicelib.flow.elsewhere import instead_of_parameter, meant_duration
from chalicelib.flow.findings import Finding, did_you_mean, either, shown
from chalicelib.flow.model import IDENTIFIER
from chalicelib.flow.scanner import NotClosed, has_hole, scan
from chalicelib.flow.values import Json, Pointer

Schema: TypeAlias = Mapping[str, Json]

_KINDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
    "null": "nothing",
}
_WORDS_OF_TRUTH = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
BESIDE_WITH = frozenset(
    {"credential", "after", "if", "retry", "timeout", "on_error", "effect", "run", "verify", "dedupe"}
)
"""Penstock's own keys of a step or trigger; below `with` stands only what is the node's."""

_LONGEST_MATCHED = 2_000
"""Texts beyond this are not held against a pattern: patterns are the catalogue's, but time is everybody's."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One value in its place."""

    pointer: Pointer
    name: str
    value: Json
    schema: Schema


def check_parameters(
    parameters: Mapping[str, Json], schema: Schema, pointer: Pointer, uses: str, beside: Collection[str] = ()
) -> Iterator[Finding]:
    """Every mistake in a step's `with`. `pointer` leads to the step or trigger; `beside` are parameters put there."""
    properties = _schemas(schema.get("properties"))
    at: Pointer = (*pointer, "with")
    for name in _words(schema.get("required")):
        if name not in parameters and name not in beside:
            example = f"Add `{name}:` below `with`."
            missing = Finding(at if parameters else pointer, f"`{uses}` needs `{name}`.", example, at_key=True)
            yield missing
    for name, value in parameters.items():
        if name in properties:
            yield from fits(Fit((*at, name), name, value, properties[name]))
        elif isinstance(others := schema.get("additionalProperties"), dict):
            yield from fits(Fit((*at, name), name, value, others))
        elif others is False:
            is_beside = name in BESIDE_WITH
            what = f"`{uses}` has no parameter `{name[:60]}`.{'' if is_beside else did_you_mean(name, properties)}"
            do = f"Its parameters: {', '.join(properties)}." if properties else "It takes no parameters."
            do = f"Write `{name}` beside `with`, not below it." if is_beside else do
            if instead := instead_of_parameter(uses, name):
                what, do = f"`{uses}` has no parameter `{name[:60]}`.", f"Write {instead}."
            yield Finding((*at, name), what, do, at_key=True)


def fits(fit: Fit) -> Iterator[Finding]:
    """Every mistake in one value, parts included."""
    waiting = [fit]
    while waiting:
        one = waiting.pop()
        place = one.schema.get("x-place")
        # A program may hold a `${` of its own; one that begins with it was meant as an expression.
        is_program = place == "verbatim" and isinstance(one.value, str) and not one.value.startswith("${")
        if isinstance(one.value, str) and not is_program and is_whole_expression(one.value):
            if place in ("literal", "verbatim"):
                yield Finding(one.pointer, f"`{one.name}` takes no expression.", "Write the value itself.")
            continue
        branches = _branches(one)
        if branches is None:
            yield from _check(one)
            waiting.extend(reversed(_parts(one)))
        elif branches:
            waiting.append(Fit(one.pointer, one.name, one.value, branches[0]))
        else:
            yield _wrong_kind(one)


def _branches(fit: Fit) -> Sequence[Schema] | None:
    """Of a schema with alternatives those that take this kind of value; None where it has none."""
    for word in ("anyOf", "oneOf"):
        several = fit.schema.get(word)
        if isinstance(several, list):
            schemas = [one for one in several if isinstance(one, dict)]
            fitting = [one for one in schemas if takes(one, fit.value)]
            flawless = [one for one in fitting if not any(_check(Fit(fit.pointer, fit.name, fit.value, one)))]
            return flawless or fitting or (None if not schemas else [])
    return None


def takes(schema: Schema, value: Json) -> bool:
    """Whether a schema's kind is this value's, or one it can be converted to."""
    if schema.get("x-place") in ("untyped", "list") or not schema.get("type"):
        return _special_takes(schema, value)
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(_is(value, str(kind)) for kind in wanted) or (schema.get("optional") is True and value is None)


def _special_takes(schema: Schema, value: Json) -> bool:
    if schema.get("x-place") == "untyped" and schema.get("type") == "object":
        return isinstance(value, dict)
    return True


def _is(value: Json, kind: str) -> bool:
    text = isinstance(value, str)
    match kind:
        case "string":
            return text or (isinstance(value, int | float) and not isinstance(value, bool))
        case "number":
            return (isinstance(value, int | float) and not isinstance(value, bool)) or (
                text and _may_be(value, _NUMBER)
            )
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return (whole and not isinstance(value, bool)) or (text and _may_be(value, re.compile(r"-?\d+")))
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false") or (text and has_hole(str(value)))
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "null":
            return value is None
        case _:
            return True


def _may_be(value: Json, pattern: re.Pattern[str]) -> bool:
    """Whether a text can be converted, or cannot be judged yet because an expression stands in it."""
    return isinstance(value, str) and (has_hole(value) or pattern.fullmatch(value) is not None)


def _check(fit: Fit) -> Iterator[Finding]:
    """The mistakes of a value itself, without its parts."""
    schema, value = fit.schema, fit.value
    place = schema.get("x-place")
    if place == "condition":
        if not isinstance(value, bool):
            yield needs_expression(fit.pointer, fit.name, value)
        return
    if place == "file":
        if not isinstance(value, dict):
            yield Finding(fit.pointer, f"`{fit.name}` is a file, not {shown(value)}.", "Pass one: ${ steps.x.file }.")
        return
    if value is None and schema.get("optional") is True:
        return
    if schema.get("x-one") is True and not isinstance(value, list):
        items = schema.get("items")
        yield from _check(Fit(fit.pointer, fit.name, value, items if isinstance(items, dict) else {}))
        return
    if not takes(schema, value):
        yield _wrong_kind(fit)
        return
    yield from _bounds(fit)


def needs_expression(pointer: Pointer, name: str, value: Json) -> Finding:
    """A condition that is no expression."""
    do = 'Write one: "${ ... }".'
    if isinstance(value, str) and value.strip():
        bare = value.strip().removeprefix("{{").removesuffix("}}").strip()
        do = f'"${{ {bare} }}".' if bare.lower() not in _WORDS_OF_TRUTH else f"Write {_WORDS_OF_TRUTH[bare.lower()]}."
        if "${" in value:
            do = f'Write one: "${{ {_joined(value)} }}".'
    inside = isinstance(value, str) and "${" in value
    what = f"`{name}` needs an expression; this is {shown(value)}."
    if inside:
        what = f"`{name}` needs one expression and nothing around it; this is text with expressions inside."
    return Finding(pointer, what, do)


def _joined(value: str) -> str:
    """A text with several expressions as one: `${ a } and ${ b }` is `a and b`."""
    try:
        pieces = scan(value)
    except NotClosed:
        return "..."
    texts = [piece.strip() if isinstance(piece, str) else piece.text.strip() for piece in pieces]
    return " ".join(text for text in texts if text)


def _wrong_kind(fit: Fit) -> Finding:
    kinds = _kinds(fit.schema)
    what = f"`{fit.name}` is {either(kinds)}, not {shown(fit.value)}."
    do = "Write that, or an expression that gives it: ${ ... }."
    if kinds == ["a map"] and isinstance(fit.value, list):
        do = "Write `name: value` on each line, without `-`."
    return Finding(fit.pointer, what, do)


def _kinds(schema: Schema) -> list[str]:
    for word in ("anyOf", "oneOf"):
        if isinstance(several := schema.get(word), list):
            return list(dict.fromkeys(kind for one in several if isinstance(one, dict) for kind in _kinds(one)))
    wanted = schema.get("type")
    wanted = wanted if isinstance(wanted, list) else [wanted]
    return [_KINDS.get(str(kind), "something else") for kind in wanted]


def _bounds(fit: Fit) -> Iterator[Finding]:
    """Choices, sizes and patterns, for values whose kind is right; text with expressions is judged when it is known."""
    schema, value = fit.schema, fit.value
    if isinstance(value, str) and has_hole(value) and schema.get("x-place") != "verbatim":
        return
    if schema.get("type") == "string" and isinstance(value, int | float):
        value = str(value)  # it becomes a text, and is judged as one
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(choices, list) and not any(value == choice and type(value) is type(choice) for choice in choices):
        if isinstance(value, str) and value.upper() in choices:
            return  # methods may be written in lower case
        names = [str(choice) for choice in choices]
        hint = did_you_mean(value, names) if isinstance(value, str) else ""
        yield Finding(fit.pointer, f"`{fit.name}` is {either(names)}, not {shown(value)}.{hint}", "Write one of these.")
        return
    problem = _out_of_bounds(schema, value)
    if problem:
        do = _cure_of_duration(fit.value) if schema.get("widget") == "duration" else _cure(schema)
        yield Finding(fit.pointer, f"`{fit.name}` {problem}, not {shown(fit.value)}.", do)


def _cure(schema: Schema) -> str:
    examples = schema.get("examples")
    return f"Write it like {examples[0]}." if isinstance(examples, list) and examples else "Write another value."


def _cure_of_duration(value: Json) -> str:
    if isinstance(value, int | float):
        return f"Say the unit: {value}s."
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return f"Say the unit: {value}s."
    meant = meant_duration(value)
    return f"Write {meant}." if meant and meant != value else "Write another value."


def _out_of_bounds(schema: Schema, value: Json) -> str:
    number = _as_number(value, schema)
    for word, text in (("minimum", "is at least"), ("maximum", "is at most")):
        bound = schema.get(word)
        if (
            number is not None
            and isinstance(bound, int | float)
            and (number < bound if word == "minimum" else number > bound)
        ):
            return f"{text} {bound}"
    if number is not None:
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        if isinstance(above, int | float) and number <= above:
            return f"is above {above}"
        if isinstance(below, int | float) and number >= below:
            return f"is below {below}"
    if isinstance(value, str):
        return _text_out_of_bounds(schema, value)
    if isinstance(value, list):
        return _size_out_of_bounds(len(value), schema.get("minItems"), schema.get("maxItems"), "entries")
    if isinstance(value, dict):
        return _size_out_of_bounds(len(value), schema.get("minProperties"), schema.get("maxProperties"), "keys")
    return ""


def _as_number(value: Json, schema: Schema) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and schema.get("type") in ("number", "integer") and _NUMBER.fullmatch(value):
        return float(value)
    return None


def _text_out_of_bounds(schema: Schema, value: str) -> str:
    if schema.get("type") in ("number", "integer", "boolean"):
        return ""
    if schema.get("widget") == "duration":
        return _duration_out_of_bounds(schema, value)
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and len(value) <= _LONGEST_MATCHED and not _matches(pattern, value):
        if pattern.strip("^$") == IDENTIFIER.pattern.strip("^$"):
            return "is a name of small letters, digits and _, beginning with a letter"
        return f"looks like {pattern}"
    return _size_out_of_bounds(len(value), schema.get("minLength"), schema.get("maxLength"), "characters")


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True


def _duration_out_of_bounds(schema: Schema, value: str) -> str:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not _matches(pattern, value):
        return "is a duration such as 90s, 10m, 1h30m or 2d"
    longest = schema.get("x-maximum")
    try:
        too_long = isinstance(longest, str) and read_duration(value) > read_duration(longest)
    except ExpressionError:
        return ""
    return f"is at most {longest}" if too_long else ""


def _size_out_of_bounds(size: int, least: Json, most: Json, what: str) -> str:
    if isinstance(least, int) and size < least:
        return f"has at least {least} {what}" if least > 1 else "is not empty"
    return f"has at most {most} {what}" if isinstance(most, int) and size > most else ""


def _parts(fit: Fit) -> list[Fit]:
    """The values inside a value, each with its own schema; untyped places have none to hold them against."""
    schema, value = fit.schema, fit.value
    if schema.get("x-place") in ("untyped", "file"):
        return []
    if isinstance(value, list):
        items = schema.get("items")
        entry = items if isinstance(items, dict) else {}
        return [Fit((*fit.pointer, index), fit.name, part, entry) for index, part in enumerate(value)]
    if not isinstance(value, dict):
        return []
    properties = _schemas(schema.get("properties"))
    others = schema.get("additionalProperties")
    fallback: Schema = (
        {"x-place": "condition"} if schema.get("x-place") == "cases" else others if isinstance(others, dict) else {}
    )
    return [Fit((*fit.pointer, key), key, part, properties.get(key, fallback)) for key, part in value.items()]


def is_whole_expression(text: str) -> bool:
    """Whether a text is one expression and nothing else; one that is not closed is another check's."""
    if not has_hole(text):
        return False
    try:
        pieces = scan(text)
    except NotClosed:
        return True
    return len(pieces) == 1 and not isinstance(pieces[0], str)


def _schemas(value: Json) -> Mapping[str, Schema]:
    found = value if isinstance(value, dict) else {}
    return {name: one if isinstance(one, dict) else {} for name, one in found.items()}


def _words(value: Json) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

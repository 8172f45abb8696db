"""Fits what starts an execution to the flow's inputs: defaults filled in, kinds converted where nothing is lost.

The declaration is a map of JSON Schema properties. Every input is required unless it has a `default` or says
`optional: true`. A flow that declares no inputs takes whatever it is given, as it is.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from chalicelib.errors import ParameterError, Problem
from chalicelib.flow.findings import did_you_mean, either
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,3})?")
WHOLE = re.compile(r"-?(0|[1-9]\d{0,999})")
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
LONGEST_MATCHED = 2_000
"""Texts beyond this are refused where a `pattern` is declared: a pattern's time may grow with the text."""

KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def fit_inputs(
    declared: Mapping[str, Json], given: Mapping[str, Json], *, where: str = "inputs", drop_unknown: bool = False
) -> dict[str, Json]:
    """The inputs as the steps will see them.

    Args:
        declared: the flow's `inputs` (`Plan.inputs`): a JSON Schema by name.
        given: what the trigger, the caller or the form handed over. Not changed.
        where: what to call it in messages.
        drop_unknown: leave out what is not declared instead of refusing it, as for `inputs: "${ trigger.body }"`, where
            a sender may say more than the flow wants to know.

    Raises:
        ParameterError: with a problem for every input that is missing, unknown or does not fit; no value is repeated.
    """
    if not declared:
        return dict(given)
    fitting = _Fitting()
    fitted: dict[str, Json] = {}
    for name, schema in declared.items():
        value = fitting.property(
            schema if isinstance(schema, dict) else {}, given.get(name, MISSING), f"{where}.{name}"
        )
        if not isinstance(value, Missing):
            fitted[name] = value
    for name in given:
        if name not in declared and not drop_unknown:
            fitting.refuse(
                f"{where}.{name[:60]}", f"There is no such input.{did_you_mean(name, declared)}", _listed(declared)
            )
    if fitting.problems:
        first = fitting.problems[0]
        more = f" (and {len(fitting.problems) - 1} more)" if len(fitting.problems) > 1 else ""
        raise ParameterError(f"`{first.where}`: {first.what}{more}", problems=fitting.problems)
    return fitted


def _listed(declared: Mapping[str, Json]) -> str:
    return f"Inputs here: {', '.join(declared)}."


@dataclass(slots=True)
class _Fitting:
    """Fits values and keeps what does not."""

    problems: list[Problem] = field(default_factory=list[Problem])

    def refuse(self, where: str, what: str, do: str = "") -> None:
        self.problems.append(Problem(where, 0, 0, what, do))

    def property(self, schema: Mapping[str, Json], value: Json | Missing, where: str) -> Json | Missing:
        """One property: its default where nothing is given."""
        if not isinstance(value, Missing):
            if value is None and schema.get("optional") is True and not _may_be_null(schema):
                return MISSING
            return self.value(schema, value, where)
        if "default" in schema:
            return self.default(schema, where)
        if schema.get("optional") is not True:
            self.refuse(where, "It is missing.", f"Give {_wanted(schema)}.")
        return MISSING

    def default(self, schema: Mapping[str, Json], where: str) -> Json:
        """The default, converted as a given value would be. Null stays null: so an optional input can be there."""
        default = schema["default"]
        return None if default is None else self.value(schema, default, where)

    def value(self, schema: Mapping[str, Json], value: Json, where: str) -> Json:
        """A value in its kind; as given, and a problem kept, where it does not fit."""
        kinds = _kinds(schema)
        fitted = _converted(value, kinds) if kinds else value
        if isinstance(fitted, Missing):
            self.refuse(where, f"It is {kind_of(value)}, and {_wanted(schema)} is needed.", "Convert it first.")
            return value
        for what in _complaints(schema, fitted):
            self.refuse(where, what, "Give another value.")
        if isinstance(fitted, list):
            items = schema.get("items")
            if isinstance(items, dict):
                return [self.value(items, one, f"{where}[{index}]") for index, one in enumerate(fitted)]
        if isinstance(fitted, dict):
            return self._object(schema, fitted, where)
        return fitted

    def _object(self, schema: Mapping[str, Json], value: dict[str, Json], where: str) -> dict[str, Json]:
        known, needed, others = (schema.get(key) for key in ("properties", "required", "additionalProperties"))
        properties = known if isinstance(known, dict) else {}
        fitted = dict(value)
        for name, inner in properties.items():
            one = inner if isinstance(inner, dict) else {}
            if name in value:
                fitted[name] = self.value(one, value[name], f"{where}.{name}")
            elif "default" in one:
                fitted[name] = self.default(one, f"{where}.{name}")
        for name in needed if isinstance(needed, list) else ():
            if isinstance(name, str) and name not in fitted:
                one = properties.get(name)
                wanted = _wanted(one if isinstance(one, dict) else {})
                self.refuse(f"{where}.{name}", "It is missing.", f"Give {wanted}.")
        for name in (one for one in value if one not in properties):
            at = f"{where}.{name[:60]}"
            if others is False:
                self.refuse(at, f"There is no such field.{did_you_mean(name, properties)}")
            elif isinstance(others, dict):
                fitted[name] = self.value(others, value[name], at)
        return fitted


def _kinds(schema: Mapping[str, Json]) -> list[str]:
    kind = schema.get("type")
    return [str(one) for one in kind] if isinstance(kind, list) else [kind] if isinstance(kind, str) else []


def _may_be_null(schema: Mapping[str, Json]) -> bool:
    return not _kinds(schema) or "null" in _kinds(schema)


def _wanted(schema: Mapping[str, Json]) -> str:
    return either([KINDS.get(kind, kind) for kind in _kinds(schema)]) or "a value"


def _converted(value: Json, kinds: list[str]) -> Json | Missing:
    """The value as the first kind it is, else as the first it can become without loss."""
    if any(_is(value, kind) for kind in kinds):
        whole = isinstance(value, float) and "number" not in kinds
        return int(value) if whole and isinstance(value, float) else value
    for kind in kinds:
        turned = _turned(value, kind)
        if not isinstance(turned, Missing):
            return turned
    return MISSING


def _is(value: Json, kind: str) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "string":
            return isinstance(value, str)
        case "number":
            return is_number
        case "integer":
            return is_number and not (isinstance(value, float) and not value.is_integer())
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "null":
            return value is None
        case _:
            return True


def _turned(value: Json, kind: str) -> Json | Missing:
    """A value made into another kind where nothing is lost, as an expression in a typed place is (design 3.3)."""
    match kind, value:
        case "string", bool():
            return "true" if value else "false"
        case "string", int() | float():
            return repr(value) if isinstance(value, float) or value.bit_length() < 3000 else MISSING
        case "number" | "integer", str():
            return _number(value.strip(), kind)
        case "boolean", "true" | "false":
            return value == "true"
        case _:
            return MISSING


def _number(text: str, kind: str) -> Json | Missing:
    if WHOLE.fullmatch(text):
        return int(text)
    if not NUMBER.fullmatch(text):
        return MISSING
    number = float(text)
    if not math.isfinite(number):
        return MISSING
    if kind == "number":
        return number
    return int(number) if number.is_integer() and abs(number) < 2**53 else MISSING


def _complaints(schema: Mapping[str, Json], value: Json) -> Iterator[str]:
    """What is wrong with a value of the right kind."""
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(choices, list) and not any(_same(value, choice) for choice in choices):
        yield f"It is none of {', '.join(str(choice)[:40] for choice in choices[:20])}."
    if isinstance(value, str):
        yield from _text_complaints(schema, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_complaints(schema, value)
    elif isinstance(value, list | dict):
        entries, least, most = ("entries", "minItems", "maxItems")
        if isinstance(value, dict):
            entries, least, most = ("fields", "minProperties", "maxProperties")
        yield from _size_complaints(len(value), schema.get(least), schema.get(most), entries)


def _same(value: Json, choice: Json) -> bool:
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def _number_complaints(schema: Mapping[str, Json], value: int | float) -> Iterator[str]:
    bound = schema.get("minimum")
    if isinstance(bound, int | float) and value < bound:
        yield f"It is less than {bound}."
    bound = schema.get("maximum")
    if isinstance(bound, int | float) and value > bound:
        yield f"It is more than {bound}."
    bound = schema.get("exclusiveMinimum")
    if isinstance(bound, int | float) and not isinstance(bound, bool) and value <= bound:
        yield f"It is not more than {bound}."
    bound = schema.get("exclusiveMaximum")
    if isinstance(bound, int | float) and not isinstance(bound, bool) and value >= bound:
        yield f"It is not less than {bound}."


def _text_complaints(schema: Mapping[str, Json], value: str) -> Iterator[str]:
    yield from _size_complaints(len(value), schema.get("minLength"), schema.get("maxLength"), "characters")
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        if len(value) > LONGEST_MATCHED:
            yield f"It is too long to be held against its pattern: more than {LONGEST_MATCHED} characters."
        elif not re.search(pattern, value):
            yield f"It does not look like {pattern[:80]}."
    wanted = schema.get("format")
    if wanted == "email" and not EMAIL.fullmatch(value):
        yield "It is no e-mail address."
    if wanted in ("uri", "url") and not URI.fullmatch(value):
        yield "It is no URL."


def _size_complaints(size: int, least: Json, most: Json, what: str) -> Iterator[str]:
    if isinstance(least, int) and size < least:
        yield f"It has fewer than {least} {what}."
    if isinstance(most, int) and size > most:
        yield f"It has more than {most} {what}."

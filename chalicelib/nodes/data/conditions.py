"""What must hold for a row, as data: rules about fields, joined by `all`, `any` and `not`."""

from typing import Annotated, Any, Literal, Self, TypeAlias, assert_never

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.patterns import Pattern
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of
from chalicelib.kit.fields import Anything
from chalicelib.nodes.data.fields import find, read_path, spot
from chalicelib.nodes.data.ordering import Reading, comparable, identity

Comparison: TypeAlias = Literal[
    "equals",
    "not_equals",
    "greater",
    "at_least",
    "less",
    "at_most",
    "in",
    "not_in",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "matches",
    "empty",
    "not_empty",
    "exists",
    "missing",
    "of_type",
]

ALONE = frozenset({"empty", "not_empty", "exists", "missing"})
"""The comparisons that take no value."""

_TYPES = {"null": type(None), "boolean": bool, "number": (int, float), "text": str, "list": list, "object": dict}


class Rule(BaseModel):
    """One field, and what must hold for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = ""
    """The field, as a dotted path; empty means the row itself."""
    comparison: Comparison = Field(alias="is")
    """What must hold, such as `equals`, `greater` or `empty`; `matches` takes a regular expression."""
    value: Anything = None
    """What the field is compared with; for `in` a list, for `of_type` a type's name."""
    reading: Reading = Field(default="as_is", alias="as")
    """How both sides are understood: as they are, or text as a number or time, or without regard to case."""

    @model_validator(mode="after")
    def _has_what_it_compares(self) -> Self:
        if ("value" in self.model_fields_set) is (self.comparison in ALONE):
            needed = "takes no `value`" if self.comparison in ALONE else "needs a `value`"
            raise ValueError(f"`{self.comparison}` {needed}")
        return self

    def holds(self, item: Json, index: int) -> bool:
        """Whether the rule holds for a row.

        A missing field or null satisfies `not_equals`, `not_in`, `not_contains`, `empty` and `missing` (null is not
        missing), and nothing else but being compared with null itself. Raises ParameterError where a value is of a kind
        that the comparison does not take: rows are not silently dropped.
        """
        found = find(item, read_path(self.field))
        match self.comparison:
            case "exists" | "missing":
                return (found is MISSING) is (self.comparison == "missing")
            case "empty" | "not_empty":
                return is_empty(found) is (self.comparison == "empty")
            case "of_type":
                return self._is_of_type(found)
            case "equals" | "not_equals":
                return self._is_same(found, self.value, index) is (self.comparison == "equals")
            case "in" | "not_in":
                is_in = any(self._is_same(found, value, index) for value in self._values())
                return is_in is (self.comparison == "in")
            case "contains" | "not_contains":
                return self._contains(found, index) is (self.comparison == "contains")
            case "starts_with" | "ends_with" | "matches":
                return self._text_holds(found, index)
            case "greater" | "at_least" | "less" | "at_most":
                return self._order_holds(found, index)
            case _:
                assert_never(self.comparison)

    def _place(self, index: int) -> str:
        return spot(index, self.field)

    def _is_same(self, found: Json | Missing, value: Json, index: int) -> bool:
        if found is MISSING:
            return False
        if self.reading == "as_is" or found is None or value is None:
            return identity(found) == identity(value)
        return comparable(found, self.reading, self._place(index)) == comparable(value, self.reading, "value")

    def _values(self) -> list[Json]:
        value: Json = self.value
        if not isinstance(value, list):
            raise ParameterError(f"`{self.comparison}` compares with a list, and `value` is {kind_of(value)}.")
        return value

    def _is_of_type(self, found: Json | Missing) -> bool:
        name: Json = self.value
        if not isinstance(name, str) or name not in _TYPES:
            raise ParameterError(f"`of_type` takes one of {', '.join(_TYPES)} as its `value`.")
        return isinstance(found, _TYPES[name]) and (name == "boolean" or not isinstance(found, bool))

    def _contains(self, found: Json | Missing, index: int) -> bool:
        if found is MISSING or found is None:
            return False
        if isinstance(found, list):
            return any(self._is_same(one, self.value, index) for one in found)
        return self._text(self.value, "value") in self._text(found, self._place(index))

    def _text_holds(self, found: Json | Missing, index: int) -> bool:
        value = self._text(self.value, "value")
        if found is MISSING or found is None:
            return False
        text = self._text(found, self._place(index))
        match self.comparison:
            case "starts_with":
                return text.startswith(value)
            case "ends_with":
                return text.endswith(value)
            case _:
                # The pattern as written: folding its case would turn \S into \s.
                return Pattern(str(self.value), ignore_case=self.reading == "no_case").occurs_in(str(found))

    def _text(self, value: Json, place: str) -> str:
        if isinstance(value, str):
            return value.casefold() if self.reading == "no_case" else value
        raise ParameterError(f"`{place}` is {kind_of(value)}, and `{self.comparison}` compares text.")

    def _order_holds(self, found: Json | Missing, index: int) -> bool:
        if self.value is None:
            raise ParameterError(f"`{self.comparison}` compares with null. Give it a `value`.")
        limit = comparable(self.value, self.reading, "value")
        if found is MISSING or found is None:
            return False
        place = self._place(index)
        value = comparable(found, self.reading, place)
        if value[0] != limit[0] or value[0] > 1:
            raise ParameterError(
                f"`{place}` is {kind_of(found)}, and `{self.comparison}` compares it with {kind_of(self.value)}. "
                "Say how to read both, for example `as: number`."
            )
        match self.comparison:
            case "greater":
                return value > limit
            case "at_least":
                return value >= limit
            case "less":
                return value < limit
            case _:
                return value <= limit


class All(BaseModel):
    """Every one of these holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    all: "list[Condition]"
    """Rules, or further groups; none at all holds."""

    def holds(self, item: Json, index: int) -> bool:
        """Whether every one of them holds for a row."""
        return all(condition.holds(item, index) for condition in self.all)


class AnyOf(BaseModel):
    """At least one of these holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    any: "list[Condition]"
    """Rules, or further groups; none at all does not hold."""

    def holds(self, item: Json, index: int) -> bool:
        """Whether one of them holds for a row."""
        return any(condition.holds(item, index) for condition in self.any)


class Not(BaseModel):
    """This does not hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    condition: "Condition" = Field(alias="not")
    """A rule, or a group."""

    def holds(self, item: Json, index: int) -> bool:
        """Whether it fails for a row."""
        return not self.condition.holds(item, index)


def _shape(value: Any) -> str:
    """Which of the four is meant, so that a mistake is reported once and not four times."""
    match value:
        case {"all": _} | All():
            return "all"
        case {"any": _} | AnyOf():
            return "any"
        case {"not": _} | Not():
            return "not"
        case _:
            return "rule"


Condition: TypeAlias = Annotated[
    Annotated[Rule, Tag("rule")]
    | Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")],
    Discriminator(_shape),
]
"""A rule, or a group of conditions."""


def is_empty(value: Json | Missing) -> bool:
    """Whether there is nothing in it: missing, null, "", [] or {}; 0 and false are something."""
    return value is MISSING or value is None or value in ("", [], {})

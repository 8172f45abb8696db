"""`data.map`."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.places import as_text
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Anything, Rows
from chalicelib.nodes.data.arithmetic import to_number
from chalicelib.nodes.data.fields import as_row, find, read_path, spot
from chalicelib.nodes.data.ordering import exact, number_in


class Source(BaseModel):
    """Where the value of a new field comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = ""
    """The field of the row, as a dotted path; empty means the row itself."""
    value: Anything = None
    """A fixed value, the same for every row, instead of a field."""
    default: Anything = None
    """What stands in where the field is missing or null."""
    to: Literal["number", "text", "boolean"] | None = None
    """What to convert it to, where nothing is lost by it."""

    @model_validator(mode="after")
    def _says_one_source(self) -> Self:
        if {"value", "field"} <= self.model_fields_set:
            raise ValueError("a new field has either a `field` or a `value`")
        return self

    def take(self, item: Json, place: str) -> Json | Missing:
        """The value for a row, converted; MISSING where there is none and no default."""
        if "value" in self.model_fields_set:
            found: Json | Missing = self.value
        else:
            found = find(item, read_path(self.field))
        if (found is MISSING or found is None) and "default" in self.model_fields_set:
            found = self.default
        if found is MISSING or found is None or self.to is None:
            return found
        converted = _convert(found, self.to)
        if converted is MISSING:
            raise ParameterError(f"`{place}` is {kind_of(found)} that cannot become a {self.to} without loss.")
        return converted


class Map(Action):
    """Make a new object of each row: fields taken from it, renamed, converted, or with a fixed value.

    What needs a calculation is an expression: `${ [inputs.rows.{"total": price * quantity}] }`.
    """

    example = Example(
        given={
            "items": [{"Order ID": "1001", "customer": {"mail": "a@x.org"}}, {"Order ID": "1002", "customer": {}}],
            "fields": {
                "id": {"field": "Order ID", "to": "number"},
                "email": {"field": "customer.mail", "default": "unknown"},
                "source": {"value": "shop"},
            },
        },
        returns=[
            {"id": 1001, "email": "a@x.org", "source": "shop"},
            {"id": 1002, "email": "unknown", "source": "shop"},
        ],
    )
    more_examples = (
        Example(
            given={"items": [{"id": 1, "who": {"name": "Ada"}}], "fields": {"name": "who.name"}, "others": "keep"},
            returns=[{"id": 1, "who": {"name": "Ada"}, "name": "Ada"}],
            about="Beside the fields it has",
        ),
        Example(
            given={"items": [7, 8], "fields": {"id": ""}}, returns=[{"id": 7}, {"id": 8}], about="From plain values"
        ),
    )

    items: Rows
    """The rows to go through."""
    fields: dict[str, str | Source]
    """The new fields by name: a path, or `{field, default, to}`, or `{value}`."""
    others: Literal["drop", "keep"] = "drop"
    """Whether the fields that the row has already stay."""
    missing: Literal["leave_out", "as_null", "refuse"] = "leave_out"
    """What becomes of a new field whose source is missing: it is left out, is null, or fails the step."""

    def run(self) -> Json:
        """The new rows."""
        sources = {
            name: Source(field=source) if isinstance(source, str) else source for name, source in self.fields.items()
        }
        return [self._new(item, index, sources) for index, item in enumerate(self.items)]

    def _new(self, item: Json, index: int, sources: dict[str, Source]) -> Json:
        new = dict(as_row(item, spot(index, ""))) if self.others == "keep" else {}
        for name, source in sources.items():
            place = spot(index, source.field)
            value = source.take(item, place)
            if value is not MISSING:
                new[name] = value
            elif self.missing == "refuse":
                raise ParameterError(f"`{place}` is missing. Give `{name}` a `default`, or say what `missing` means.")
            elif self.missing == "as_null":
                new[name] = None
        return new


def _convert(value: Json, to: Literal["number", "text", "boolean"]) -> Json | Missing:
    match to, value:
        case "number", str():
            number = number_in(value)
            return MISSING if number is None or exact(nearest := to_number(number)) != number else nearest
        case "text", bool() | int() | float():
            return as_text(value)
        case "boolean", str() if value.strip().casefold() in {"true", "false"}:
            return value.strip().casefold() == "true"
        case ("number", bool()) | ("boolean", int() | float()) if not (to == "boolean" and isinstance(value, bool)):
            return MISSING
        case ("number", int() | float()) | ("text", str()) | ("boolean", bool()):
            return value
        case _:
            return MISSING

"""`data.aggregate`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.arithmetic import average, to_number, total
from chalicelib.nodes.data.fields import find, read_path, spot
from chalicelib.nodes.data.grouping import WhenMissing, group_rows
from chalicelib.nodes.data.ordering import Identity, Reading, comparable, exact, identity, is_number, number_in


class Figure(BaseModel):
    """One figure to work out for each group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function: Literal["count", "sum", "avg", "min", "max", "first", "last", "list", "unique", "count_unique"]
    """What to work out; `unique` lists every value once, `count_unique` says how many those are."""
    field: str = ""
    """The field, as a dotted path; empty means the row itself, so that `count` counts rows."""
    reading: Reading = Field(default="as_is", alias="as")
    """How values are understood by `sum`, `avg`, `min` and `max`; `number` takes text such as "19.90" too."""

    def work_out(self, rows: Sequence[tuple[int, Json]]) -> Json:
        """The figure over these rows; a missing field and null do not take part.

        Of nothing the sum is 0, and `avg`, `min`, `max`, `first` and `last` are null. Raises ParameterError where a
        value is of the wrong kind.
        """
        path = read_path(self.field)
        found = ((index, find(item, path)) for index, item in rows)
        values: list[tuple[int, Json]] = []
        for index, value in found:
            if value is not MISSING and value is not None:
                values.append((index, value))
        match self.function:
            case "count":
                return len(values) if path else len(rows)
            case "sum":
                return to_number(total(self._numbers(values)))
            case "avg":
                return average(self._numbers(values)) if values else None
            case "min" | "max":
                return self._extreme(values)
            case "first":
                return values[0][1] if values else None
            case "last":
                return values[-1][1] if values else None
            case "list":
                return [value for _, value in values]
            case "unique":
                return _unique(values)
            case "count_unique":
                return len({identity(value) for _, value in values})
            case _:
                assert_never(self.function)

    def _numbers(self, values: Sequence[tuple[int, Json]]) -> list[int | Decimal]:
        numbers: list[int | Decimal] = []
        for index, value in values:
            number: int | Decimal | None = None
            if isinstance(value, str) and self.reading == "number":
                number = number_in(value)
            elif isinstance(value, int | float) and is_number(value):
                number = exact(value)
            if number is None:
                advice = " Say `as: number` if text may spell numbers." if self.reading != "number" else ""
                raise ParameterError(
                    f"`{spot(index, self.field)}` is {kind_of(value)}, and `{self.function}` takes numbers.{advice}"
                )
            numbers.append(number)
        return numbers

    def _extreme(self, values: Sequence[tuple[int, Json]]) -> Json:
        if not values:
            return None
        keys = [comparable(value, self.reading, spot(index, self.field)) for index, value in values]
        if len({key[0] for key in keys}) > 1 or keys[0][0] > 1:
            raise ParameterError(f"`{self.function}` of `{self.field or 'items'}` takes all numbers or all text.")
        # The first one, where several are equal.
        place = keys.index(min(keys) if self.function == "min" else max(keys))
        return values[place][1]


class Aggregate(Action):
    """Work out figures over rows: counts, sums, averages and the like, for all rows or for each group.

    Decimals are added exactly (0.1 and 0.2 make 0.3), whole numbers of any size stay exact. Missing fields and null do
    not take part. A number that came as text is an error unless `as: number` says that it counts.
    """

    example = Example(
        given={
            "items": [
                {"shop": "a", "total": 0.1},
                {"shop": "b", "total": 5},
                {"shop": "a", "total": 0.2},
                {"shop": "a", "total": None},
            ],
            "by": ["shop"],
            "figures": {
                "orders": {"function": "count"},
                "revenue": {"function": "sum", "field": "total"},
                "largest": {"function": "max", "field": "total"},
            },
        },
        returns=[
            {"shop": "a", "orders": 3, "revenue": 0.3, "largest": 0.2},
            {"shop": "b", "orders": 1, "revenue": 5, "largest": 5},
        ],
    )
    more_examples = (
        Example(
            given={
                "items": [{"price": "19.90"}, {"price": "0.10"}],
                "figures": {
                    "sum": {"function": "sum", "field": "price", "as": "number"},
                    "prices": {"function": "list", "field": "price"},
                },
            },
            returns={"sum": 20, "prices": ["19.90", "0.10"]},
            about="Over all rows the result is one object",
        ),
    )

    items: Rows
    """The rows to work with."""
    by: list[str] | None = None
    """Fields to group by; without them there is one result for all rows."""
    figures: dict[str, Figure]
    """What to work out, by the name it gets: `{revenue: {function: sum, field: total}}`."""
    missing: WhenMissing = "as_null"
    """Whether a row without a field of `by` counts as null, is left out (`leave_out`), or fails the step (`refuse`)."""

    def run(self) -> Json:
        """One object of figures, or with `by` a list of them, each with the fields of its group."""
        if self.by is None:
            return self._work_out({}, list(enumerate(self.items)))
        for name in self.figures:
            if name in self.by:
                raise ParameterError(f"`{name}` is both a field of `by` and the name of a figure. Rename the figure.")
        return [self._work_out(group.key, group.rows) for group in group_rows(self.items, self.by, self.missing)]

    def _work_out(self, key: dict[str, Json], rows: Sequence[tuple[int, Json]]) -> Json:
        return {**key, **{name: figure.work_out(rows) for name, figure in self.figures.items()}}


def _unique(values: Sequence[tuple[int, Json]]) -> list[Json]:
    """Every value once, where it first occurs."""
    seen: dict[Identity, Json] = {}
    for _, value in values:
        seen.setdefault(identity(value), value)
    return list(seen.values())

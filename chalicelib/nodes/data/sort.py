"""`data.sort`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.flow.paths import MISSING
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.fields import find, read_path, spot
from chalicelib.nodes.data.ordering import Comparable, Reading, comparable


class Key(BaseModel):
    """One field to sort by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = ""
    """The field, as a dotted path; empty means the row itself."""
    order: Literal["ascending", "descending"] = "ascending"
    """Smallest first, or largest first."""
    reading: Reading = Field(default="as_is", alias="as")
    """How values are understood: `as_is`, as a `number` or `time`, or `natural` (item 2 before item 10)."""


class Sort(Action):
    """Sort rows by one or more fields.

    Numbers come before text, text before booleans; text is ordered by code point unless `as` says otherwise. Rows where
    the field is missing or null come last, in either order. Rows that compare equal stay in the order they were in.
    """

    example = Example(
        given={
            "items": [{"name": "b", "total": 9}, {"name": "a", "total": 10}, {"name": "c"}, {"name": "d", "total": 10}],
            "by": [{"field": "total", "order": "descending"}, "name"],
        },
        returns=[{"name": "a", "total": 10}, {"name": "d", "total": 10}, {"name": "b", "total": 9}, {"name": "c"}],
    )
    more_examples = (
        Example(
            given={"items": ["file 10", "File 9", "file 1"], "by": [{"as": "natural"}]},
            returns=["file 1", "File 9", "file 10"],
            about="Rows that are text, with numbers in it",
        ),
        Example(
            given={"items": [{"price": "9.5"}, {"price": "10"}], "by": [{"field": "price", "as": "number"}]},
            returns=[{"price": "9.5"}, {"price": "10"}],
            about="Numbers that came as text",
        ),
    )

    items: Rows
    """The rows to sort."""
    by: list[str | Key] = Field(default=[""])
    """Fields, the most important first; each a path, or `{field, order, as}`. Left out: the rows themselves."""

    def run(self) -> Json:
        """The rows in their new order."""
        order = list(range(len(self.items)))
        for key in reversed([Key(field=key) if isinstance(key, str) else key for key in self.by]):
            values = self._values(key)
            present = [index for index in order if index in values]
            # Python keeps equal ones in their order even when it sorts in reverse.
            present.sort(key=values.__getitem__, reverse=key.order == "descending")
            order = present + [index for index in order if index not in values]
        return [self.items[index] for index in order]

    def _values(self, key: Key) -> dict[int, Comparable]:
        path = read_path(key.field)
        found = ((index, find(item, path)) for index, item in enumerate(self.items))
        return {
            index: comparable(value, key.reading, spot(index, key.field))
            for index, value in found
            if value is not MISSING and value is not None
        }

"""`data.flatten`."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from chalicelib.errors import ParameterError
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.fields import DEEPEST, as_row, spot


class Flatten(Action):
    """Make one list of lists inside lists, or bring fields inside objects up to the row.

    Brought up, a field is called by its path (`address.city`); lists inside rows stay as they are.
    """

    example = Example(given={"items": [[1, [2, 3]], 4, []]}, returns=[1, [2, 3], 4])
    more_examples = (
        Example(
            given={"items": [{"id": 1, "address": {"city": "Bonn", "geo": {"lat": 50.7}}}], "what": "objects"},
            returns=[{"id": 1, "address.city": "Bonn", "address.geo.lat": 50.7}],
            about="Objects inside rows, for a table",
        ),
    )

    items: Rows
    """The rows to flatten."""
    what: Literal["lists", "objects"] = "lists"
    """Whether lists inside the list are joined, or objects inside the rows are brought up."""
    depth: Annotated[int, Field(ge=1, le=DEEPEST)] | None = None
    """How many levels; left out, one for lists and all for objects."""
    separator: str = "."
    """What stands between the names of a field that was brought up."""

    def run(self) -> Json:
        """The flat list."""
        if self.what == "lists":
            return list(_unpacked(self.items, self.depth or 1))
        return [self._brought_up(as_row(item, spot(index, "")), index) for index, item in enumerate(self.items)]

    def _brought_up(self, row: dict[str, Json], index: int) -> Json:
        flat: dict[str, Json] = {}
        for name, value in self._fields(row, "", self.depth if self.depth is not None else DEEPEST):
            if name in flat:
                raise ParameterError(f"In `{spot(index, '')}` two fields would have the same name. Use a `separator`.")
            flat[name] = value
        return flat

    def _fields(self, row: dict[str, Json], prefix: str, depth: int) -> Iterator[tuple[str, Json]]:
        for key, value in row.items():
            # An empty object has no fields to bring up, and is not lost.
            if isinstance(value, dict) and value and depth > 0:
                yield from self._fields(value, f"{prefix}{key}{self.separator}", depth - 1)
            else:
                yield f"{prefix}{key}", value


def _unpacked(items: list[Json], depth: int) -> Iterator[Json]:
    for item in items:
        if isinstance(item, list) and depth > 1:
            yield from _unpacked(item, depth - 1)
        elif isinstance(item, list):
            yield from item
        else:
            yield item

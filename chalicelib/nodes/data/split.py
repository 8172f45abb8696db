"""`data.split`."""

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.fields import MOST_ROWS, as_row, find, read_path, spot
from chalicelib.nodes.data.shaping import omit, tree_of

_ORDER: Json = {"id": 1, "lines": [{"sku": "a"}, {"sku": "b"}]}


class Split(Action):
    """Cut a list into batches, or make a row of each entry of a list inside the rows.

    Say either `size` or `field`.
    """

    example = Example(given={"items": [1, 2, 3, 4, 5], "size": 2}, returns=[[1, 2], [3, 4], [5]])
    more_examples = (
        Example(
            given={"items": [_ORDER, {"id": 2, "lines": []}], "field": "lines"},
            returns=[{"sku": "a"}, {"sku": "b"}],
            about="The entries of a list inside the rows",
        ),
        Example(
            given={"items": [_ORDER, {"id": 2}], "field": "lines", "others": "keep", "as": "line", "empty": "keep"},
            returns=[{"id": 1, "line": {"sku": "a"}}, {"id": 1, "line": {"sku": "b"}}, {"id": 2}],
            about="With the other fields of the row",
        ),
    )

    items: Rows
    """The list to cut, or the rows with lists inside."""
    size: Annotated[int, Field(ge=1)] | None = None
    """How many entries a batch has; the last one may have fewer."""
    field: str | None = None
    """The list inside each row, as a dotted path; one value counts as a list of one."""
    others: Literal["drop", "keep"] = "drop"
    """Whether each new row is the entry alone, or the row's other fields and the entry."""
    name: str | None = Field(default=None, alias="as")
    """What the entry is called where other fields are kept; left out, the last name of the path."""
    empty: Literal["drop", "keep"] = "drop"
    """With other fields kept: whether a row whose list is empty, null or missing stays, without an entry."""

    def run(self) -> Json:
        """A list of batches, or of new rows."""
        if (self.size is None) is (self.field is None):
            raise ParameterError("Say either `size`, to cut into batches, or `field`, to make rows of its entries.")
        if self.size is not None:
            return [self.items[start : start + self.size] for start in range(0, len(self.items), self.size)]
        return self._entries(self.field or "")

    def _entries(self, field: str) -> list[Json]:
        path = read_path(field)
        tree = tree_of([field]) if self.others == "keep" else None
        name = self.name or str(path[-1]) if path else self.name or "item"
        rows: list[Json] = []
        for index, item in enumerate(self.items):
            found = find(item, path)
            entries = found if isinstance(found, list) else [] if found is MISSING or found is None else [found]
            if tree is None:
                rows.extend(entries)
            else:
                rest = as_row(omit(as_row(item, spot(index, "")), tree), "items")
                if entries and name in rest:
                    raise ParameterError(f"`{spot(index, name)}` exists already. Call the entry otherwise, with `as`.")
                rows.extend({**rest, name: entry} for entry in entries)
                if not entries and self.empty == "keep":
                    rows.append(rest)
            if len(rows) > MOST_ROWS:
                raise ParameterError(f"There would be more than {MOST_ROWS} rows. Cut the list into batches first.")
        return rows

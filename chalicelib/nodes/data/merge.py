"""`data.merge`."""

from collections.abc import Sequence
from functools import reduce
from itertools import zip_longest
from typing import Annotated, Literal

from pydantic import Field

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.fields import MOST_ROWS, as_row, find, read_path
from chalicelib.nodes.data.ordering import Identity, identity

_ORDERS: Json = [{"id": 1, "customer": 7}, {"id": 2, "customer": 8}, {"id": 3}]
_CUSTOMERS: Json = [{"number": 7, "name": "Ada"}, {"number": 9, "name": "Bob"}]
_NO_FIELDS: dict[str, Json] = {}


class Merge(Action):
    """Bring two or more lists together: one after the other, row by row, by a common key, or all with all.

    Keys are compared with their type (7 and "7" differ); a missing key and null match nothing. Several matches give
    several rows. With more than two lists the result of the first two is merged with the third, and so on.
    """

    example = Example(
        given={"lists": [_ORDERS, _CUSTOMERS], "how": "key", "by": ["customer"], "other_by": ["number"]},
        returns=[{"id": 1, "customer": 7, "number": 7, "name": "Ada"}],
    )
    more_examples = (
        Example(
            given={"lists": [[{"a": 1}], [{"a": 2}, {"b": 3}]], "how": "append"},
            returns=[{"a": 1}, {"a": 2}, {"b": 3}],
            about="One after the other",
        ),
        Example(
            given={"lists": [[{"a": 1}, {"a": 2}], [{"b": 3}]], "how": "position"},
            returns=[{"a": 1, "b": 3}, {"a": 2}],
            about="The first with the first, the second with the second",
        ),
        Example(
            given={
                "lists": [_ORDERS, _CUSTOMERS],
                "how": "key",
                "by": ["customer"],
                "other_by": ["number"],
                "rows": "outer",
            },
            returns=[
                {"id": 1, "customer": 7, "number": 7, "name": "Ada"},
                {"id": 2, "customer": 8},
                {"id": 3},
                {"number": 9, "name": "Bob"},
            ],
            about="Rows without a partner stay too",
        ),
        Example(
            given={"lists": [[{"size": "S"}, {"size": "L"}], [{"color": "red"}]], "how": "combine"},
            returns=[{"size": "S", "color": "red"}, {"size": "L", "color": "red"}],
            about="All with all",
        ),
    )

    lists: Annotated[list[Rows], Field(min_length=2)]
    """The lists, in order."""
    how: Literal["append", "position", "key", "combine"] = "append"
    """One after the other, row by row, by equal values of fields, or every row with every row."""
    by: list[str] | None = None
    """For `key`: the fields whose values must be equal."""
    other_by: list[str] | None = None
    """For `key`: what those fields are called in the second and later lists, if they are called otherwise."""
    rows: Literal["inner", "left", "outer"] = "inner"
    """For `key` and rows without a partner: none stays, those of the first list stay, or all stay."""
    conflict: Literal["last", "first", "refuse"] = "last"
    """Whose value counts where two rows have different values in a field, or that this fails the step."""

    def run(self) -> Json:
        """The merged list."""
        match self.how:
            case "append":
                merged = [item for rows in self.lists for item in rows]
            case "position":
                merged = reduce(self._by_position, self._numbered())
            case "key":
                merged = reduce(self._by_key, self._numbered())
            case "combine":
                merged = reduce(self._all_with_all, self._numbered())
        if len(merged) > MOST_ROWS:
            raise _too_many()
        return merged

    def _numbered(self) -> list[list[Json]]:
        return [
            [as_row(item, f"lists[{number}][{index}]") for index, item in enumerate(rows)]
            for number, rows in enumerate(self.lists)
        ]

    def _by_position(self, left: list[Json], right: list[Json]) -> list[Json]:
        return [self._join(one, other) for one, other in zip_longest(left, right, fillvalue=_NO_FIELDS)]

    def _all_with_all(self, left: list[Json], right: list[Json]) -> list[Json]:
        if len(left) * len(right) > MOST_ROWS:
            raise _too_many()
        return [self._join(one, other) for one in left for other in right]

    def _by_key(self, left: list[Json], right: list[Json]) -> list[Json]:
        if not self.by:
            raise ParameterError("Merging by key needs `by`: the fields whose values must be equal.")
        other_by = self.other_by or self.by
        if len(other_by) != len(self.by):
            raise ParameterError("`by` and `other_by` name different numbers of fields.")
        partners: dict[Identity, list[int]] = {}
        for index, row in enumerate(right):
            key = _key_of(row, other_by)
            if key is not None:
                partners.setdefault(key, []).append(index)
        merged: list[Json] = []
        met: set[int] = set()
        for row in left:
            key = _key_of(row, self.by)
            found = partners.get(key, []) if key is not None else []
            met.update(found)
            merged.extend(self._join(row, right[index]) for index in found)
            if not found and self.rows != "inner":
                merged.append(row)
            if len(merged) > MOST_ROWS:
                raise _too_many()
        if self.rows == "outer":
            merged.extend(row for index, row in enumerate(right) if index not in met)
        return merged

    def _join(self, one: Json, other: Json) -> Json:
        left, right = as_row(one, "lists"), as_row(other, "lists")
        if self.conflict == "refuse":
            for name in left.keys() & right.keys():
                if identity(left[name]) != identity(right[name]):
                    raise ParameterError(
                        "Two rows that belong together differ in a field. Rename one, or say whose value counts "
                        "(`conflict: first` or `last`)."
                    )
        return {**left, **right, **left} if self.conflict == "first" else {**left, **right}


def _key_of(row: Json, fields: Sequence[str]) -> Identity | None:
    """What the row is joined by; None where a field is missing or null, which equals nothing."""
    values = [find(row, read_path(field)) for field in fields]
    if any(value is MISSING or value is None for value in values):
        return None
    return tuple(identity(value) for value in values)


def _too_many() -> ParameterError:
    return ParameterError(f"The merged list would have more than {MOST_ROWS} rows. Filter the lists first.")

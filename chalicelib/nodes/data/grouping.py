"""Rows put together by the values of their fields; what `data.group` and `data.aggregate` share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING
from chalicelib.flow.values import Json
from chalicelib.nodes.data.fields import find, read_path, spot
from chalicelib.nodes.data.ordering import Identity, identity

WhenMissing: TypeAlias = Literal["as_null", "leave_out", "refuse"]
"""What becomes of a row that lacks a field to group by: it counts as null, is left out, or fails the step."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """A group: the values it has in common, by field, and its rows with their places in the list."""

    key: dict[str, Json]
    rows: list[tuple[int, Json]]


def group_rows(items: Sequence[Json], by: Sequence[str], missing: WhenMissing) -> list[Grouped]:
    """The groups in the order in which each is first met. 1 and 1.0 are the same group, 1 and "1" are not.

    Raises ParameterError for a field that is no path, for one named twice, and where `refuse` meets a missing field.
    """
    if len(set(by)) < len(by):
        raise ParameterError("`by` names a field twice. Name each field once.")
    paths = [read_path(field) for field in by]
    groups: dict[Identity, Grouped] = {}
    for index, item in enumerate(items):
        key: dict[str, Json] = {}
        for field, path in zip(by, paths, strict=True):
            value = find(item, path)
            if value is not MISSING:
                key[field] = value
            elif missing == "refuse":
                raise ParameterError(f"`{spot(index, field)}` is missing. Say what `missing` shall mean here.")
            elif missing == "as_null":
                key[field] = None
        if len(key) == len(by):
            same = tuple(identity(value) for value in key.values())
            groups.setdefault(same, Grouped(key, [])).rows.append((index, item))
    return list(groups.values())

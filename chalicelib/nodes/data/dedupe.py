"""`data.dedupe`."""

from typing import Literal

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.fields import find, read_path, spot
from chalicelib.nodes.data.ordering import Identity, identity


class Dedupe(Action):
    """Remove rows that occur more than once, whole or by some of their fields.

    Values are compared with their type: 1 and "1" differ, 1 and 1.0 do not; the order of an object's keys is nothing.
    """

    example = Example(
        given={
            "items": [{"email": "a@x.org", "n": 1}, {"email": "b@x.org", "n": 2}, {"email": "A@x.org", "n": 3}],
            "by": ["email"],
            "ignore_case": True,
        },
        returns=[{"email": "a@x.org", "n": 1}, {"email": "b@x.org", "n": 2}],
    )
    more_examples = (
        Example(given={"items": [1, "1", 1.0, True, 2]}, returns=[1, "1", True, 2], about="Whole rows"),
        Example(
            given={"items": [{"id": 1, "v": 1}, {"v": 0}, {"id": 1, "v": 2}], "by": ["id"], "keep": "last"},
            returns=[{"v": 0}, {"id": 1, "v": 2}],
            about="The last one stays",
        ),
    )

    items: Rows
    """The rows to go through."""
    by: list[str] | None = None
    """The fields that make two rows the same; left out, the whole row."""
    keep: Literal["first", "last"] = "first"
    """Which of several equal rows stays, at its own place."""
    ignore_case: bool = False
    """Whether text counts as the same in capitals and small letters; with `by` only."""
    missing: Literal["as_null", "keep", "refuse"] = "as_null"
    """Whether a row without the field counts as null, always stays (`keep`), or fails the step (`refuse`)."""

    def run(self) -> Json:
        """The rows that stay, in their order."""
        numbered = list(enumerate(self.items))
        if self.keep == "last":
            numbered.reverse()
        seen: set[Identity] = set()
        kept: list[Json] = []
        for index, item in numbered:
            same = self._identity(item, index)
            if same is None or same not in seen:
                kept.append(item)
            if same is not None:
                seen.add(same)
        return kept[::-1] if self.keep == "last" else kept

    def _identity(self, item: Json, index: int) -> Identity | None:
        """What the row is compared by; None where it always stays."""
        if self.by is None:
            return identity(item)
        parts: list[Identity] = []
        for field in self.by:
            value = find(item, read_path(field))
            if value is MISSING:
                if self.missing == "keep":
                    return None
                if self.missing == "refuse":
                    raise ParameterError(f"`{spot(index, field)}` is missing. Say what `missing` shall mean here.")
                value = None
            parts.append(identity(value.casefold() if self.ignore_case and isinstance(value, str) else value))
        return tuple(parts)

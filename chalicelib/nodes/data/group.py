"""`data.group`."""

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.grouping import WhenMissing, group_rows

_PAID: Json = {"id": 1, "state": "paid", "shop": {"id": 7}}
_OPEN: Json = {"id": 2, "state": "open", "shop": {"id": 7}}
_ALSO_PAID: Json = {"id": 3, "state": "paid", "shop": {"id": 7}}


class Group(Action):
    """Put rows together that have the same value in a field, or in several.

    Groups come in the order in which each is first met, rows in the order they were in. Values are compared with their
    type: 1 and "1" are two groups.
    """

    example = Example(
        given={"items": [_PAID, _OPEN, _ALSO_PAID], "by": "state"},
        returns=[
            {"key": "paid", "items": [_PAID, _ALSO_PAID], "count": 2},
            {"key": "open", "items": [_OPEN], "count": 1},
        ],
    )
    more_examples = (
        Example(
            given={"items": [_PAID, _OPEN, _ALSO_PAID], "by": ["shop.id", "state"]},
            returns=[
                {"key": {"shop.id": 7, "state": "paid"}, "items": [_PAID, _ALSO_PAID], "count": 2},
                {"key": {"shop.id": 7, "state": "open"}, "items": [_OPEN], "count": 1},
            ],
            about="By several fields: the key is an object",
        ),
    )

    items: Rows
    """The rows to group."""
    by: str | list[str]
    """A field, whose value becomes the group's `key`, or a list of fields, where `key` is an object of them."""
    missing: WhenMissing = "as_null"
    """Whether a row without the field counts as null, is left out (`leave_out`), or fails the step (`refuse`)."""

    def run(self) -> Json:
        """A list of `{key, items, count}`."""
        fields = [self.by] if isinstance(self.by, str) else self.by
        return [
            {
                "key": group.key[self.by] if isinstance(self.by, str) else dict(group.key),
                "items": [item for _, item in group.rows],
                "count": len(group.rows),
            }
            for group in group_rows(self.items, fields, self.missing)
        ]

"""`data.rename`."""

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.fields import as_row, spot
from chalicelib.nodes.data.shaping import rename, tree_of


class Rename(Action):
    """Rename fields of each row; they keep their place, and all others stay as they are.

    All names change at once, so two fields may swap theirs. Two fields of one name are refused, never overwritten.
    """

    example = Example(
        given={
            "items": [{"First Name": "Ada", "address": {"zip": "010"}}, {"id": 2}],
            "fields": {"First Name": "first_name", "address.zip": "postcode"},
        },
        returns=[{"first_name": "Ada", "address": {"postcode": "010"}}, {"id": 2}],
    )
    more_examples = (
        Example(
            given={"items": [{"a": 1, "b": 2}], "fields": {"a": "b", "b": "a"}},
            returns=[{"b": 1, "a": 2}],
            about="Swapping two names",
        ),
    )

    items: Rows
    """The rows, each an object."""
    fields: dict[str, str]
    """New names by old path, such as `{address.zip: postcode}`; the new name is a name, not a path."""

    def run(self) -> Json:
        """The rows with fields renamed."""
        tree = tree_of(self.fields, self.fields)
        return [rename(as_row(item, spot(index, "")), tree, spot(index, "")) for index, item in enumerate(self.items)]

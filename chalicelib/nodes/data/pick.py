"""`data.pick`."""

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import MISSING
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.fields import as_row, find, read_path, spot
from chalicelib.nodes.data.shaping import pick, tree_of


class Pick(Action):
    """Keep only some fields of each row; fields inside objects keep their place.

    For one object rather than rows there is the expression `${ $pick(x, ["a", "b"]) }`.
    """

    example = Example(
        given={
            "items": [{"id": 1, "customer": {"name": "Ada", "card": "x"}, "note": ""}, {"id": 2}],
            "fields": ["id", "customer.name"],
        },
        returns=[{"id": 1, "customer": {"name": "Ada"}}, {"id": 2}],
    )

    items: Rows
    """The rows, each an object."""
    fields: list[str]
    """The fields to keep, as dotted paths; a list on the way means all its rows."""
    required: bool = False
    """Whether a row that lacks one of the fields fails the step."""

    def run(self) -> Json:
        """The rows with fewer fields."""
        tree = tree_of(self.fields)
        rows = [as_row(item, spot(index, "")) for index, item in enumerate(self.items)]
        if self.required:
            for index, row in enumerate(rows):
                for field in self.fields:
                    if find(row, read_path(field)) is MISSING:
                        raise ParameterError(f"`{spot(index, field)}` is missing, and `required` wants every field.")
        return [pick(row, tree) for row in rows]

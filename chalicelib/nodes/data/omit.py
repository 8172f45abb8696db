"""`data.omit`."""

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.fields import as_row, spot
from chalicelib.nodes.data.shaping import omit, tree_of


class Omit(Action):
    """Leave some fields out of each row. Fields that a row does not have are no mistake."""

    example = Example(
        given={
            "items": [{"id": 1, "lines": [{"sku": "a", "cost": 5}, {"sku": "b"}], "password": "x"}],
            "fields": ["password", "lines.cost"],
        },
        returns=[{"id": 1, "lines": [{"sku": "a"}, {"sku": "b"}]}],
    )

    items: Rows
    """The rows, each an object."""
    fields: list[str]
    """The fields to leave out, as dotted paths; a list on the way means all its rows."""

    def run(self) -> Json:
        """The rows with fewer fields."""
        tree = tree_of(self.fields)
        return [omit(as_row(item, spot(index, "")), tree) for index, item in enumerate(self.items)]

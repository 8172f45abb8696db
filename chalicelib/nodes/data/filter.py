"""`data.filter`."""

from typing import Literal

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.nodes.data.conditions import Condition

_ORDERS: list[Json] = [
    {"id": 1, "total": 120, "customer": {"country": "DE"}},
    {"id": 2, "total": 80, "customer": {"country": "FR"}},
    {"id": 3, "total": 300, "customer": {}},
]


class Filter(Action):
    """Keep the rows for which a condition holds.

    The condition is data, asked of each row in turn. The same can be written as an expression:
    `${ [inputs.orders[total > 100]] }`.
    """

    example = Example(
        given={"items": _ORDERS, "where": {"field": "total", "is": "greater", "value": 100}},
        returns=[_ORDERS[0], _ORDERS[2]],
    )
    more_examples = (
        Example(
            given={
                "items": _ORDERS,
                "where": {
                    "all": [
                        {"field": "total", "is": "at_least", "value": 100},
                        {
                            "any": [
                                {"field": "customer.country", "is": "in", "value": ["DE", "AT"]},
                                {"not": {"field": "customer.country", "is": "exists"}},
                            ]
                        },
                    ]
                },
            },
            returns=[_ORDERS[0], _ORDERS[2]],
            about="Groups: all, any, not",
        ),
        Example(
            given={
                "items": [{"price": "9.50"}, {"price": "10"}],
                "where": {"field": "price", "is": "less", "value": 10, "as": "number"},
            },
            returns=[{"price": "9.50"}],
            about="Numbers that came as text",
        ),
        Example(
            given={
                "items": ["a@example.com", "nobody"],
                "where": {"is": "matches", "value": r"^\S+@\S+$"},
                "keep": "others",
            },
            returns=["nobody"],
            about="Rows that are text; keep what does not match",
        ),
    )

    items: Rows
    """The rows to choose from."""
    where: Condition
    """A rule, such as `{field: total, is: greater, value: 100}`, or a group of rules: `all`, `any`, `not`."""
    keep: Literal["matching", "others"] = "matching"
    """Whether to keep the rows for which the condition holds, or the others."""

    def run(self) -> Json:
        """The rows kept, in their order."""
        wanted = self.keep == "matching"
        return [item for index, item in enumerate(self.items) if self.where.holds(item, index) is wanted]

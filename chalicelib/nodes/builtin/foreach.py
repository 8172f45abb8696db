"""The same steps for every item of a list."""

import math
import re
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import Duration, Rows
from chalicelib.kit.outputs import ANYTHING, WHOLE, listed, shape
from chalicelib.kit.values import Json

_MOST_ITEMS: Final = 100_000
"""What one list of results is still for: who has more works through it in parts."""

_SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")


def _tolerance(value: object) -> object:
    """A number of items, or a share of them such as `10%`."""
    if isinstance(value, str):
        match = _SHARE.fullmatch(value.strip())
        if value.strip().isdecimal():
            return int(value)
        if match is None or float(match[1]) > 100:
            raise ValueError("is neither a number of items nor a share of them, such as 10%")
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("is neither a number of items nor a share of them, such as 10%")
    return value


def _countable(items: list[Any]) -> list[Any]:
    """A list that one loop goes over."""
    if len(items) > _MOST_ITEMS:
        raise ValueError(f"has more than {_MOST_ITEMS:,} items; cut it, and hand each part to a flow of its own")
    return items


class Foreach(Control):
    """Run the steps below it once for every item of a list, several at a time.

    In `steps`, `item` is the item and `index` its place, counted from 0; with `batch` it is `items`, always a list.

    The value is `{"results", "failed", "count"}`: the results of the body's `output` (or of its only last step) in the
    order of the items, null where one failed; for each failure its `index`, `item` and `error`; and how many turns
    there were. A long list is cut into chunks that run beside one another; the order of the results stays that of the
    items. A list has at most 100,000 items.
    """

    output = shape(
        results=listed(ANYTHING), failed=listed(shape(index=WHOLE, item=ANYTHING, error=ANYTHING)), count=WHOLE
    )
    example = Example(
        given={"over": [1, 2, 3], "concurrency": 2},
        returns={"results": [2, 4, 6], "failed": [], "count": 3},
        about="With a body whose output is `${ item * 2 }`.",
    )

    over: Annotated[Rows, AfterValidator(_countable)]
    """The items. One value is a list of one; nothing is an empty list, and the step is done at once."""
    as_: Annotated[str, Field(alias="as", pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "item"
    """The name an item goes by, where `item` is taken: a loop inside a loop needs one."""
    batch: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Hand over this many items at a time, as `items`."""
    concurrency: Annotated[int, Field(ge=1, le=100)] = 10
    """How many items (or batches) are under way at once."""
    pause: Duration | None = Field(default=None, json_schema_extra={"x-maximum": "15m"})
    """How long to wait after an item (or batch) before the next one takes its place."""
    tolerate: Annotated[int | str, BeforeValidator(_tolerance), Field(json_schema_extra={"examples": [3, "10%"]})] = 0
    """How many items may fail, as a number or a share such as `10%`, before the step fails."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.pause is not None and self.pause.total_seconds() > 900:
            raise ValueError("pause is longer than 15 minutes")
        if self.batch is not None and self.as_ != "item":
            raise ValueError("with `batch` the items go by the name `items`; leave out `as`")
        return self

    def turns(self) -> list[Json]:
        """What each turn of the body is handed: an item, or with `batch` a list of items."""
        items: list[Any] = self.over
        if self.batch is None:
            return items
        return [items[start : start + self.batch] for start in range(0, len(items), self.batch)]

    def tolerated(self) -> int:
        """How many turns may fail (rounded down) without the step failing."""
        if isinstance(self.tolerate, int):
            return self.tolerate
        return math.floor(len(self.turns()) * float(self.tolerate.rstrip("% ")) / 100 + 1e-9)

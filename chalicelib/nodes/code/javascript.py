"""`code.javascript`."""

from typing import Final, cast

from pydantic import Field

from chalicelib.errors import ParameterError
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.fields import Anything, Code
from chalicelib.kit.values import Json, RunCode

MOST_EXACT: Final = 2**53
"""Beyond it not every whole number is one of JavaScript's (ECMA-262, Number.MAX_SAFE_INTEGER)."""

_SUM = "return input.lines.reduce((sum, line) => sum + line.price * line.quantity, 0);"
_LINES: Final[Json] = {"lines": [{"price": 12, "quantity": 2}, {"price": 5, "quantity": 1}]}
_GROUP = """const byDay = {};
for (const { day, visitors } of input) {
  (byDay[day] ??= []).push(visitors);
}
return Object.entries(byDay).map(([day, all]) => `${day}: ${Math.max(...all)}`);"""
_DAYS: Final[Json] = [
    {"day": "Mon", "visitors": 3},
    {"day": "Tue", "visitors": 8},
    {"day": "Mon", "visitors": 5},
]


class Javascript(Action):
    """Run a short program in JavaScript (ES2023), and give what it returns.

    The program is the body of an async function of `input`; what it returns becomes JSON as `JSON.stringify` has it. It
    runs in a sandbox: no network, no files, no modules, no secrets, no waiting, 10 seconds and 64 MB at most. The time
    stands still at the step's own, and random numbers are the same however often the step is tried. An error that it
    throws fails the step; one with `retry: true` may be tried again.

    See [code nodes](../code-nodes.md).
    """

    effect = "pure"
    example = Example(
        given={"code": _SUM, "input": _LINES},
        sends=(RunCode("javascript", _SUM, _LINES),),
        receives=(29,),
        returns=29,
    )
    more_examples = (
        Example(
            given={"code": _GROUP, "input": _DAYS},
            sends=(RunCode("javascript", _GROUP, _DAYS),),
            receives=(["Mon: 5", "Tue: 8"],),
            returns=["Mon: 5", "Tue: 8"],
            about="Several lines; a `${` in the program is JavaScript's own",
        ),
    )

    code: Code = Field(max_length=100_000)
    """The program. It is taken as it is written: expressions belong into `input`."""
    input: Anything = None
    """What the program knows as `input`: any value, expressions inside it included."""

    def run(self) -> Conversation:
        """What the program returns."""
        if (place := _inexact(self.input)) is not None:
            raise ParameterError(
                f"with.{place}: is a whole number beyond 2^53, which JavaScript would change; pass it as text"
            )
        value = yield RunCode("javascript", self.code, self.input)
        return value


def _inexact(value: Json) -> str | None:
    """Where a whole number stands that is none of JavaScript's; without recursion, for values nest deeply."""
    waiting: list[tuple[str, Json]] = [("input", value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, int) and abs(one) > MOST_EXACT:
            return place
        if isinstance(one, dict):
            fields = cast("dict[str, Json]", one)
            waiting.extend((f"{place}.{key[:60]}", part) for key, part in fields.items())
        elif isinstance(one, list):
            waiting.extend((f"{place}[{index}]", part) for index, part in enumerate(cast("list[Json]", one)))
    return None

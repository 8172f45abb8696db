"""A fork in the flow."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from chalicelib.kit.action import Control, Example
from chalicelib.kit.outputs import TEXT, shape
from chalicelib.kit.values import Moment, Outcome, Succeeded

_CASE = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED: Final = frozenset({"done", "error", "skipped", "settled", "else"})
"""Ports that every step has, and the one for no case at all."""


def _named(cases: dict[str, bool]) -> dict[str, bool]:
    """Cases whose names can be ports."""
    for name in cases:
        if name in RESERVED:
            raise ValueError(f"a case cannot be named {name}: that port has a meaning of its own")
        if not _CASE.fullmatch(name):
            raise ValueError(
                f"case {name[:40]!r}: a name is lower-case letters, digits and underscores, a letter first"
            )
    return cases


class Switch(Control):
    """Leave by the port of the first case that is true, or by `else`.

    Steps that go on from here name the port: `after: size.large`.
    """

    ports = ("else",)
    ports_from = "cases"
    output = shape(case=TEXT)
    example = Example(
        given={"cases": {"large": False, "medium": True, "odd": True}}, returns={"case": "medium"}, port="medium"
    )
    more_examples = (Example(given={"cases": {"large": False}}, returns={"case": "else"}, port="else"),)

    cases: Annotated[
        dict[str, bool], AfterValidator(_named), Field(min_length=1, json_schema_extra={"x-place": "cases"})
    ]
    """Conditions by name, asked in this order; each name is a port."""

    def decide(self, moment: Moment) -> Outcome:
        """The first true case."""
        port = next((name for name, holds in self.cases.items() if holds), "else")
        return Succeeded({"case": port}, port)

"""The names below `trigger`, `inputs`, `vars`, `execution` and `failure`: which are used, and which there are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.flow.entries import Catalogue, entry_of
from chalicelib.flow.model import FlowModel
from chalicelib.flow.tokens import tokens

EXECUTION_FIELDS = ("id", "started_at", "url", "links")
FAILURE_FIELDS = ("step", "code", "message", "url")
EVERY_TRIGGER = ("name", "at")
"""What every trigger hands over (design 3.4)."""


@dataclass(frozen=True, slots=True)
class Head:
    """`trigger.body`: a root, the name below it, and where the root begins in the expression."""

    root: str
    name: str
    offset: int

    def __str__(self) -> str:
        return f"{self.root}.{self.name}"


def heads_of(expression: str, roots: frozenset[str]) -> Iterator[Head]:
    """Every root with the name below it; strings, comments and fields of the same name do not count."""
    cut = list(tokens(expression))
    for index, token in enumerate(cut[:-2]):
        root = token.text.removeprefix("$")
        if token.kind not in {"name", "variable"} or root not in roots:
            continue
        is_field = index > 0 and cut[index - 1].text == "."
        below = cut[index + 2]
        if not is_field and cut[index + 1].text == "." and below.kind in {"name", "string", "quoted"}:
            yield Head(root, below.value, token.start)


def known_below(flow: FlowModel, catalogue: Catalogue) -> Mapping[str, tuple[str, ...]]:
    """The names below each root; a root whose names cannot be known is left out."""
    known: dict[str, tuple[str, ...]] = {"execution": EXECUTION_FIELDS, "failure": FAILURE_FIELDS}
    known["vars"] = tuple(flow.variables)
    if flow.inputs:
        known["inputs"] = tuple(flow.inputs)
    handed: dict[str, None] = dict.fromkeys(EVERY_TRIGGER)
    for trigger in flow.triggers:
        names = entry_of(catalogue, trigger.uses).get("hands_over")
        if not isinstance(names, dict) or not names:
            return known
        handed.update(dict.fromkeys(names))
    if flow.triggers:
        known["trigger"] = tuple(handed)
    return known

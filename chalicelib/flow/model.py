"""A flow as its author wrote it: read from the document, with the way back to every part, not yet understood.

`flow/reading.py` makes it and finds the mistakes of shape on the way; the check and the plan both start from here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from chalicelib.flow.plan import Effect, RetryPolicy
from chalicelib.flow.values import Json, Pointer

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,39}")
FLOW_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
NODE_TYPE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?")
RESERVED = frozenset({"and", "or", "in", "true", "false", "null"})

LOOPS = frozenset({"foreach", "repeat"})
"""The nodes that have a body."""

LINKED = frozenset({"callback", "approval"})
"""The nodes that somebody answers by a link: `execution.links.<step>`."""

WAITING = LINKED | {"wait"}
"""The nodes that do nothing but wait."""

COMMON_PORTS = ("done", "error", "skipped", "settled")
"""The ways every step can end, besides ports of its own."""


@dataclass(frozen=True, slots=True)
class Named:
    """A source as `after` names it; `port` None is the bare name."""

    source: str
    port: str | None
    pointer: Pointer

    def __str__(self) -> str:
        return f"{self.source}.{self.port}" if self.port else self.source


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A group as `after` writes it: `any` (at_least None) or `at_least` / `first`."""

    at_least: int | None
    members: tuple[Named, ...]
    pointer: Pointer


After: TypeAlias = Named | Alternatives


@dataclass(frozen=True, slots=True)
class StepModel:
    """A step as written. `data` holds what is only looked at where an expression may stand: `if`, `output`."""

    id: str
    pointer: Pointer
    data: Mapping[str, Json]
    uses: str = ""
    name: str = ""
    credential: str | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict[str, Json])
    after: tuple[After, ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_seconds: float = 20.0
    on_error: Json = None
    """The value that stands in for a failed step's; meaningful where `has_on_error`."""
    has_on_error: bool = False
    effect: Effect | None = None
    apart: bool = False
    body: tuple["StepModel", ...] | None = None

    @property
    def is_loop(self) -> bool:
        """Whether it has a body."""
        return self.uses in LOOPS

    @property
    def item(self) -> str:
        """The name an item of a `foreach` goes by in its body."""
        if self.parameters.get("batch") is not None:
            return "items"
        renamed = self.parameters.get("as")
        return renamed if isinstance(renamed, str) else "item"

    @property
    def loop_names(self) -> frozenset[str]:
        """The names that a loop adds to what its body sees; none for any other step."""
        if self.uses == "foreach":
            return frozenset({self.item, "index"})
        return frozenset({"last", "round"}) if self.uses == "repeat" else frozenset()


@dataclass(frozen=True, slots=True)
class TriggerModel:
    """A trigger as written."""

    id: str
    pointer: Pointer
    data: Mapping[str, Json]
    uses: str = ""
    credential: str | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict[str, Json])
    verify: Mapping[str, Json] | None = None
    respond: str = "accepted"
    overlap: str = "allow"
    catch_up: str = "none"


@dataclass(frozen=True, slots=True)
class CapModel:
    """`concurrency` as written: a number, or a map of `max` and `key`."""

    most: int = 1
    key: Json = None
    """A text with an expression; None where executions are not told apart."""


@dataclass(frozen=True, slots=True)
class FlowModel:
    """A flow as written."""

    data: Mapping[str, Json]
    flow: str = ""
    description: str = ""
    timezone: str = "UTC"
    inputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    variables: Mapping[str, Json] = field(default_factory=dict[str, Json])
    triggers: tuple[TriggerModel, ...] = ()
    steps: tuple[StepModel, ...] = ()
    on_failure: tuple[StepModel, ...] = ()
    deadline_seconds: float | None = None
    durability: str = "barrier"
    concurrency: CapModel | None = None
    retention_seconds: float | None = None
    plugins: Mapping[str, str] = field(default_factory=dict[str, str])
    """The version of each plugin, by name: a hash. What is published has one for each plugin that it uses."""

    def walk(self) -> Iterator[StepModel]:
        """Every step in document order: a loop before its body, and `on_failure` where it stands in the file."""
        first, second = self.steps, self.on_failure
        if (
            "on_failure" in self.data
            and next((key for key in self.data if key in {"steps", "on_failure"}), "") != "steps"
        ):
            first, second = second, first
        yield from each(first)
        yield from each(second)


def each(steps: tuple[StepModel, ...]) -> Iterator[StepModel]:
    """Every step of a scope and of the bodies in it, in document order."""
    waiting = list(reversed(steps))
    while waiting:
        step = waiting.pop()
        yield step
        waiting.extend(reversed(step.body or ()))

"""What a flow version is once it has been understood: immutable, and loadable without pydantic.

`flow/planning.py` makes a plan from a document; the engine and the worker only ever read one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from chalicelib.flow.templates import Template
from chalicelib.flow.values import Json


class Effect(StrEnum):
    """What running a step does to the world, and so how it is protected (design 4.4)."""

    PURE = "pure"
    READ = "read"
    IDEMPOTENT = "idempotent"
    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"

    @property
    def is_leased(self) -> bool:
        """Whether a claim must stand before the step may run."""
        return self in {Effect.AT_LEAST_ONCE, Effect.AT_MOST_ONCE}

    @property
    def needs_barrier(self) -> bool:
        """Whether everything the step was computed from must be durable before it runs."""
        return self not in {Effect.PURE, Effect.READ}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a step waits for: a source (a step or a trigger) and a way it must end.

    `port` is `done`, `error`, `skipped`, `settled`, or a port of the source's own.
    """

    source: str
    port: str


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives: `any` (at_least None: all settled, one holds) or `at_least` n of them, first n in commit order."""

    at_least: int | None
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed attempt is repeated, and how long to wait in between (before jitter)."""

    attempts: int = 1
    first_seconds: float = 1.0
    factor: float = 2.0
    cap_seconds: float = 60.0
    classes: tuple[str, ...] = ("timeout", "connect", "429", "5xx")
    within_seconds: float | None = None
    """How long after the first attempt began another may still begin; None: as long as it takes."""


@dataclass(frozen=True, slots=True)
class UseValue:
    """`on_error: continue` (null) or `on_error: {use: value}`: what stands in for a failed step's value."""

    value: Template


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step, with everything that decides when it runs and what it is given."""

    id: str
    ordinal: int
    uses: str
    needs: tuple[Need, ...]
    groups: tuple[Group, ...]
    mentions: tuple[str, ...]
    """Steps whose value (`steps.x`) or failure (`errors.x`) its expressions read, in order of appearance."""
    condition: Template | None
    parameters: Template
    effect: Effect
    ports: tuple[str, ...] = ("done",)
    name: str = ""
    credential: str | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_seconds: float = 20.0
    on_error: UseValue | None = None
    error_is_named: bool = False
    """Somebody names its `error` port (or mentions `errors.<id>`): its failure is handled."""
    apart: bool = False
    body: "Body | None" = None
    feeds_count: bool = False
    """Feeds an `at_least` group, so its fact carries the commit order."""
    plugin: str = ""
    """Of a plugin's node: the hash that pins the plugin's version."""

    @property
    def is_handled(self) -> bool:
        """Whether its failure is handled: a property of the text, not of the run."""
        return self.error_is_named or self.on_error is not None


@dataclass(frozen=True, slots=True)
class Body:
    """What a loop runs for each item."""

    steps: tuple[StepPlan, ...]
    output: Template | None
    """None: the value of its only last step."""
    last: str | None
    item: str
    """The name an item goes by: `item`, or what `as` says; with `batch` it is `items`. Empty for a `repeat`."""
    until: Template | None = None
    """Of a `repeat`: asked inside the body after each round; it is not among the step's `parameters`.

    There `last` is what the round that has just ended gave, and `round` its number.
    """


@dataclass(frozen=True, slots=True)
class TriggerPlan:
    """A way in."""

    id: str
    uses: str
    parameters: Mapping[str, Json]
    credential: str | None
    verify: Mapping[str, Json] | None
    """{"scheme": ..., "credential": ..., options}; None: `verify: none`, or a trigger that has nothing to verify."""
    dedupe: Template | None
    condition: Template | None
    inputs: Template | None
    respond: str
    """`accepted`, `result` or `step`."""
    overlap: str = "allow"
    catch_up: str = "none"


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many executions of a flow may run at once; the others are queued in the order they were accepted."""

    most: int
    key: Template | None = None
    """What tells lanes apart, from `trigger`, `inputs` and `vars`; each has a cap of its own. None: one lane."""


Inputs: TypeAlias = Mapping[str, Json]
"""JSON Schema properties of the flow's inputs; `required` is every one without a default or `optional: true`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A flow version, ready to run."""

    flow: str
    version: str
    """SHA-256, in hexadecimal, of the document's canonical JSON text."""
    steps: tuple[StepPlan, ...]
    on_failure: tuple[StepPlan, ...]
    triggers: Mapping[str, TriggerPlan]
    inputs: Inputs
    variables: Mapping[str, Json]
    output: Template | None
    output_needs: tuple[str, ...] = ()
    """Steps that `output` mentions."""
    description: str = ""
    timezone: str = "UTC"
    deadline_seconds: float | None = None
    durability: str = "barrier"
    retention_seconds: float | None = None
    concurrency: Concurrency | None = None
    linked: tuple[str, ...] = ()
    """The steps whose link (`execution.links.<id>`) some expression names, in document order: callbacks, approvals."""
    by_id: Mapping[str, StepPlan] = field(default_factory=dict[str, StepPlan])
    """Every step of the file by its id: loop bodies and `on_failure` included."""
    dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """For each source, the top-level (or same body's) steps with a need on it, in document order."""

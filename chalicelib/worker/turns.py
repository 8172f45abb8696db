"""What a loop goes through: its items, how many at once, and what each turn gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.errors import ParameterError
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.values import Json
from chalicelib.worker.course import Course

MOST_TURNS = 100_000
"""Items of one loop, or batches of them."""


@dataclass(frozen=True, slots=True)
class Turns:
    """What a loop, or a chunk of one, goes through, and how."""

    items: Sequence[Json]
    concurrency: int
    pause_seconds: float
    tolerated: int
    """How many turns may fail."""
    offset: int = 0
    """The index of the first of these items in the whole list."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, or one round."""

    index: int
    names: Mapping[str, Json]
    """What its steps may name beyond the rest."""
    since: int = 0
    """When it began, in epoch milliseconds; 0: with its loop."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What one turn gave."""

    value: Json = None
    failure: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Rounds:
    """How a `repeat` goes round."""

    every: timedelta | None
    most: int
    collects: bool


def read_turns(course: Course, step: StepPlan, parameters: Mapping[str, Json]) -> Turns:
    """A `foreach` step's parameters, read by its node; raises ParameterError."""
    from chalicelib.nodes.builtin.foreach import Foreach  # imported late: it brings pydantic

    node = course.tools.build(step.uses, parameters)
    if not isinstance(node, Foreach):
        raise ParameterError(f"`{step.id}`: `{step.uses}` has steps below it, but is no loop.")
    items = node.turns()
    if len(items) > MOST_TURNS:
        raise ParameterError(
            f"`{step.id}`: {len(items)} items are more than the {MOST_TURNS} that one loop takes. "
            "Hand over several at a time with `batch`, or start an execution for each part of the list."
        )
    pause = node.pause.total_seconds() if node.pause is not None else 0.0
    return Turns(items, node.concurrency, pause, node.tolerated())


def is_slow(course: Course, turns: Turns) -> bool:
    """Whether its pauses alone may be more than one invocation holds: then its turns are recorded, whatever they do."""
    rounds = -(-len(turns.items) // turns.concurrency)
    return turns.pause_seconds * (rounds - 1) > course.tools.settings.invocation_seconds / 2


def read_rounds(course: Course, step: StepPlan, parameters: Mapping[str, Json]) -> Rounds:
    """A `repeat` step's parameters, read by its node; `until` is asked elsewhere. Raises ParameterError."""
    from chalicelib.nodes.builtin.repeat import Repeat  # imported late, as above

    node = course.tools.build(step.uses, {**parameters, "until": False})
    if not isinstance(node, Repeat):
        raise ParameterError(f"`{step.id}`: `{step.uses}` has steps below it, but is no loop.")
    return Rounds(node.every, node.max, node.collect)

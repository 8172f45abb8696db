"""How an execution ends (design 4.9): R -> S, or R -> E -> F, C or T."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.engine.facts import Done, fact_name
from chalicelib.engine.needs import SKIPPED, Kind, State
from chalicelib.engine.readiness import Board
from chalicelib.engine.records import Image, Reason, Status
from chalicelib.flow.plan import StepPlan


@dataclass(frozen=True, slots=True)
class NotYet:
    """Something is still to be done."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Nothing is left to do: it may be written as this."""

    status: Status


Verdict: TypeAlias = NotYet | Ends

NOT_YET = NotYet()


def facts_by_id(steps: Sequence[StepPlan], image: Image, path: tuple[int, ...] = ()) -> dict[str, Done]:
    """The final facts of these steps that the record holds, by step id."""
    facts = image.facts
    found: dict[str, Done] = {}
    for step in steps:
        fact = facts.get(fact_name(step.ordinal, path))
        if isinstance(fact, Done):
            found[step.id] = fact
    return found


def verdict(board: Board, reason: Reason | None, *, on_failure: Board | None = None) -> Verdict:
    """Whether the execution may be written as ended, and as what, where nobody holds a step any more.

    Args:
        board: the flow's steps, with every fact that is recorded or goes into the same write.
        reason: why it is ending; None while it runs.
        on_failure: the `on_failure` steps; None where the flow has none. A failed or timed out execution ends when
            they are settled, or when one of them fails unhandled; a cancelled one does not run them.
    """
    if reason is None and board.unhandled is None:
        return Ends(Status.SUCCEEDED) if board.is_finished else NOT_YET
    how = Status.FAILED if reason is None else reason.how
    if how is not Status.CANCELLED and on_failure is not None:
        is_over = on_failure.is_finished or on_failure.unhandled is not None
        return Ends(how) if is_over else NOT_YET
    return Ends(how)


def seen_from_on_failure(steps: Sequence[StepPlan], board: Board) -> Mapping[str, State]:
    """The flow's steps as sources for `on_failure` steps, once the execution is ending.

    No ordinary step starts any more, so what is not settled never will be: it counts as skipped. A failure counts by
    its port whether or not anybody named it: it is what `on_failure` is there to look at.
    """
    seen: dict[str, State] = {}
    for step in steps:
        state = board.state_of(step.id)
        if state.kind is Kind.UNHANDLED:
            state = State(Kind.FAILED, state.port, state.order)
        elif state.kind is Kind.OPEN:
            state = SKIPPED
        seen[step.id] = state
    return seen

"""When a head needs a look, as far as the writes to it know: what the due entry is moved to (design 4.7)."""

from collections.abc import Sequence

from chalicelib.engine.messages import LONGEST_DELAY_SECONDS
from chalicelib.engine.records import Birth
from chalicelib.worker.budget import Budget

GRACE = 60_000
"""Milliseconds after a moment that the queue brings a message for: only then does the sweeper see to it."""


def look_at(due: int, now: int) -> int:
    """When the sweeper need look at a step that is due then: later where the queue brings a message in time."""
    return due + GRACE if due - now <= LONGEST_DELAY_SECONDS * 1000 else due


def next_check(due: Sequence[int], budget: Budget, birth: Birth | None) -> int:
    """When the head needs a look: at what is due, when this invocation must be over, when it is itself to be over."""
    deadline = [birth.deadline] if birth is not None and birth.deadline else []
    return min([*due, *deadline, budget.lease_until])

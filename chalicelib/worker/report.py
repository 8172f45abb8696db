"""What became of one invocation's work on an execution."""

from dataclasses import dataclass
from enum import Enum

from chalicelib.engine.records import Image


class Went(Enum):
    """How an invocation's work on an execution ended."""

    ENDED = "ended"
    HANDED_OVER = "handed over"
    """Everything is recorded, and what is left to do is in the queue, or somebody else's."""
    HELD = "held"
    """Another worker is at it: give the delivery back, in case that one dies."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of it, and the record as it stood last."""

    went: Went
    image: Image | None
    held_until: int = 0
    """Epoch milliseconds: when the first lease that keeps us waiting runs out."""
    is_known: bool = False
    """An earlier start with the same delivery key stands for this one."""

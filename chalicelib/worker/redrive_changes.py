"""What a redrive takes from a record, and what it counts there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.engine.facts import (
    Claimed,
    Counted,
    Done,
    Fact,
    How,
    Waiting,
    fact_name,
    redrive_name,
    signal_name,
)
from chalicelib.engine.records import Image
from chalicelib.engine.writes import Absent, Exactly, Put
from chalicelib.errors import RedriveRefusedError
from chalicelib.flow.plan import Effect, StepPlan


@dataclass(slots=True)
class Change:
    """What goes from a record, and what is put there."""

    removes: set[str] = field(default_factory=set[str])
    puts: dict[str, Put] = field(default_factory=dict[str, Put])

    def clear(
        self, facts: Mapping[str, Fact], step: StepPlan, path: tuple[int, ...] = (), *, is_below: bool = False
    ) -> None:
        """A step loses its fact and its signal.

        From now on it is asked under another key, since the body may be another one; under the same key only where
        nobody knows whether it happened, and nothing that it was computed from is cleared (`is_below`).
        """
        name = fact_name(step.ordinal, path)
        fact = facts.get(name)
        if isinstance(fact, Claimed):
            # Never a claim: what it did counts as unknown, where that matters. Where it is asked again, the body may be
            # another one.
            if is_below:
                self.count(facts, redrive_name(step.ordinal, path))
            return
        self.removes |= {each for each in (name, signal_name(step.ordinal, path)) if each in facts}
        is_over = isinstance(fact, Done) and fact.how is not How.UNKNOWN
        if is_below or is_over or (isinstance(fact, Waiting) and fact.kind == "call"):
            self.count(facts, redrive_name(step.ordinal, path))

    def count(self, facts: Mapping[str, Fact], counter: str) -> None:
        """One more."""
        known = facts.get(counter)
        number = known.number if isinstance(known, Counted) else 0
        self.puts[counter] = Put(Counted(number + 1), Absent() if known is None else Exactly(known))


def refuse_repeats(record: Image, steps: Iterable[StepPlan], change: Change) -> None:
    """An at-most-once effect that happened, or may have, is repeated only by somebody who says so.

    Raises RedriveRefusedError, naming the step (and its turn).
    """
    by_name = {fact_name(step.ordinal): step for step in steps if step.effect is Effect.AT_MOST_ONCE}
    for name in sorted(change.removes):
        place, _, turn = name.partition("_")
        step, fact = by_name.get(place), record.facts.get(name)
        if step is None or not isinstance(fact, Done) or fact.how not in {How.UNKNOWN, How.SUCCEEDED}:
            continue
        what = "has happened" if fact.how is How.SUCCEEDED else "may have happened"
        where = f" (turn {turn})" if turn else ""
        raise RedriveRefusedError(
            f"`{step.id}`{where} acts at most once, and its effect {what}. Look there first; then redrive with `force`."
        )

"""Why a step has no value here, in words: asked for only when an expression found nothing."""

from collections.abc import Iterator, Mapping

from chalicelib.engine.facts import Done, How
from chalicelib.flow.plan import Need, StepPlan

_FARTHEST = 100
"""Steps looked at for one reason; a plan has no circles, but a chain of skips may be long."""


class Absences(Mapping[str, str]):
    """By step, why it has no value: `was skipped (switch `size` took `small`)`. Steps that have one are not in it."""

    __slots__ = ("_done", "_started_by", "_steps", "_triggers")

    def __init__(
        self,
        steps: Mapping[str, StepPlan],
        done: Mapping[str, Done],
        *,
        triggers: Mapping[str, object],
        started_by: str,
    ) -> None:
        """`done` are the facts of the steps that have one; the others of `steps` were skipped, or are still open."""
        self._steps = steps
        self._done = done
        self._triggers = triggers
        self._started_by = started_by

    def __getitem__(self, step: str) -> str:
        """Why this step has no value; KeyError where it is none of these, or has one."""
        if (done := self._done.get(step)) is not None:
            if done.how is How.SKIPPED:
                return "was skipped (its `if` was not true)"
            if done.how is How.SUCCEEDED:
                raise KeyError(step)
            return "failed"
        reason = self._reason(self._steps[step])
        return f"was skipped ({reason})" if reason else "did not run, or was skipped"

    def __iter__(self) -> Iterator[str]:
        """Every step without a value."""
        return (step for step in self._steps if step not in self._done or self._done[step].how is not How.SUCCEEDED)

    def __len__(self) -> int:
        """How many steps have no value."""
        return sum(1 for _ in self)

    def _reason(self, step: StepPlan) -> str:
        """The first need that could not hold, followed back to where it began."""
        for _ in range(_FARTHEST):
            further: StepPlan | None = None
            for need in step.needs:
                said = self._why(need)
                if said:
                    return said
                if need.source in self._steps and need.source not in self._done:
                    further = further or self._steps[need.source]
            if further is None:
                return "none of its alternatives came about" if step.groups else ""
            step = further
        return ""

    def _why(self, need: Need) -> str:
        """Why a need failed by its source's own doing; empty where it held, or only follows from another skip."""
        name = need.source
        if name in self._triggers:
            return f"trigger `{name}` did not start this" if name != self._started_by else ""
        done = self._done.get(name)
        if done is None:
            return ""
        if done.how is How.SUCCEEDED:
            node = self._steps[name].uses if name in self._steps else "step"
            if need.port == "error":
                return f"`{name}` did not fail"
            return f"{node} `{name}` took `{done.port}`" if need.port not in {"done", "settled", done.port} else ""
        if done.how is How.SKIPPED:
            return f"the `if` of `{name}` was not true" if need.port not in {"skipped", "settled"} else ""
        return f"`{name}` failed" if need.port not in {"error", "settled"} else ""

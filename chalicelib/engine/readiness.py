"""What is ready now: the judgement of `engine.needs`, kept up to date fact by fact.

A fact costs as much as there are needs on its step, so a chain of n steps costs n, not n squared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.engine.facts import Done
from chalicelib.engine.needs import (
    HOLDS,
    OPEN,
    SKIPPED,
    UNCOMMITTED,
    Answer,
    Ask,
    Kind,
    State,
    ask_of,
    judge_group,
    state_of,
    trigger_states,
)
from chalicelib.errors import ConflictError
from chalicelib.flow.plan import StepPlan

_COLUMNS = {ask: column for column, ask in enumerate(Ask)}
_PORT = _COLUMNS[Ask.PORT]
_ROWS = {kind: tuple(HOLDS[kind, ask] for ask in Ask) for kind in Kind}
_PORT_OF_ANOTHER = {
    Kind.LEFT_BY_IT: HOLDS[Kind.LEFT_BY_ANOTHER, Ask.PORT],
    Kind.FORGIVEN: HOLDS[Kind.FORGIVEN_BY_ANOTHER, Ask.PORT],
}
_RUN, _SKIP = 1, 2


@dataclass(frozen=True, slots=True)
class Run:
    """A step to run, and the sources (steps and triggers) whose facts made it ready, which it sees."""

    step: StepPlan
    sees: tuple[str, ...]


_Listener: TypeAlias = tuple[int, int, str, int, bool]
"""A need, seen from its source: the place of the step that has it, its column, its port, the number of its group (-1
for a plain need), and whether that group is numbered."""


class _Wiring:
    """The needs of some steps, turned round: made once for a plan, shared by its boards."""

    __slots__ = ("listeners", "open_needs", "ordinals", "places", "roots", "sees", "sizes", "steps", "wanted")

    def __init__(self, steps: Sequence[StepPlan]) -> None:
        self.steps = tuple(steps)
        self.places = {step.id: place for place, step in enumerate(self.steps)}
        self.ordinals = {step.id: step.ordinal for step in self.steps}
        self.open_needs = [len(step.needs) + len(step.groups) for step in self.steps]
        self.roots = [place for place, needs in enumerate(self.open_needs) if not needs]
        self.sees = [tuple(dict.fromkeys(need.source for need in step.needs)) for step in self.steps]
        self.listeners: dict[str, list[_Listener]] = {}
        self.sizes: list[int] = []
        self.wanted: list[int | None] = []
        for place, step in enumerate(self.steps):
            for need in step.needs:
                self._listen(need.source, (place, _COLUMNS[ask_of(need)], need.port, -1, False))
            for group in step.groups:
                number = len(self.sizes)
                self.sizes.append(len(group.needs))
                self.wanted.append(group.at_least)
                for need in group.needs:
                    column = _COLUMNS[ask_of(need)]
                    self._listen(need.source, (place, column, need.port, number, group.at_least is not None))

    def _listen(self, source: str, listener: _Listener) -> None:
        self.listeners.setdefault(source, []).append(listener)


_MOST_WIRINGS = 256
_wirings: dict[int, tuple[Sequence[StepPlan], _Wiring]] = {}


def _wiring_of(steps: Sequence[StepPlan]) -> _Wiring:
    """The wiring of these very steps, remembered by identity: a plan is immutable and lives as long as its boards."""
    known = _wirings.get(id(steps))
    if known is not None and known[0] is steps:
        return known[1]
    wiring = _Wiring(steps)
    if isinstance(steps, tuple):
        if len(_wirings) >= _MOST_WIRINGS:
            _wirings.clear()
        _wirings[id(steps)] = (steps, wiring)
    return wiring


class _States(dict[str, State]):
    """States by source, open where nothing is known."""

    def __missing__(self, source: str) -> State:
        return OPEN


class Board:
    """Which steps are ready, as the facts come in. Belongs to one execution, or to one turn of a loop.

    Everything that one image brings is settled before `take_ready`: facts of one write have the same place in the
    commit order, and which of them fire a numbered group is known only when all are there.

    **Numbered groups count recorded facts only** (`order` 0 or more): an own result that is not recorded has no place
    in the commit order, and what fired a group must be what every later image says. Settle the step again with the
    fact as recorded, and it counts. For every other need it counts at once.
    """

    __slots__ = (
        "_done",
        "_groups_held",
        "_groups_open",
        "_open_needs",
        "_outside",
        "_ready",
        "_rulings",
        "_settled",
        "_skipped",
        "_states",
        "_taken",
        "_wiring",
        "unhandled",
    )

    def __init__(
        self,
        steps: Sequence[StepPlan],
        facts: Mapping[str, Done] | None = None,
        outside: Mapping[str, State] | None = None,
        *,
        triggers: Iterable[str] = (),
        started_by: str = "",
    ) -> None:
        """Start from what is known.

        Args:
            steps: a plan's steps, its `on_failure`, or a loop's body; a tuple is wired once and remembered.
            facts: by step id.
            outside: the states of sources that are none of these steps.
            triggers: the flow's triggers, further sources of that kind.
            started_by: the one of them that started the execution; empty where none did.
        """
        self._wiring = _wiring_of(steps)
        self._outside = {**trigger_states(triggers, started_by), **(outside or {})}
        self._taken: set[str] = set()
        self._begin(facts or {})

    def _begin(self, facts: Mapping[str, Done]) -> None:
        wiring = self._wiring
        self.unhandled: StepPlan | None = None
        """The step whose failure ends the execution; while there is one, nothing is ready."""
        self._done: dict[str, Done] = {}
        self._states = _States(self._outside)
        self._skipped: list[str] = []
        self._settled = 0
        self._open_needs = wiring.open_needs.copy()
        self._groups_open = wiring.sizes.copy()
        self._groups_held = [0] * len(wiring.sizes)
        self._rulings = bytearray(len(wiring.steps))
        self._ready = wiring.roots.copy()
        for place in wiring.roots:
            self._rulings[place] = _RUN
        for source, state in self._outside.items():
            if source in wiring.listeners:
                self._spread(source, state)
        if facts:
            for step in wiring.steps:
                if (done := facts.get(step.id)) is not None:
                    self.settle(step.id, done)

    def settle(self, step_id: str, done: Done) -> None:
        """Take in a fact. The same fact again changes nothing; one that has been recorded since gains its order.

        Raises KeyError for a step that is none of these, ConflictError for a fact that contradicts what is known:
        then `replace` everything by what the record says.
        """
        step = self._wiring.steps[self._wiring.places[step_id]]
        known = self._done.get(step_id)
        if known is not None:
            self._settle_again(step, known, done)
            return
        state = state_of(step, done)
        if step_id in self._states:
            if state.kind is not Kind.SKIPPED:
                raise ConflictError(f"step {step_id} has a fact, and its needs say that it is skipped")
            self._skipped.remove(step_id)
            self._done[step_id] = done
            return
        self._done[step_id] = done
        self._states[step_id] = state
        self._settled += 1
        if state.kind is Kind.UNHANDLED and self.unhandled is None:
            self.unhandled = step
        self._spread(step_id, state)

    def _settle_again(self, step: StepPlan, known: Done, done: Done) -> None:
        if known == done:
            return
        is_same = (known.how, known.port, known.attempt, known.ended) == (done.how, done.port, done.attempt, done.ended)
        if not is_same or UNCOMMITTED not in {known.order, done.order}:
            raise ConflictError(f"step {step.id} has another fact than the one that is known here")
        if known.order != UNCOMMITTED:
            return
        self._done[step.id] = done
        if done.order != UNCOMMITTED:
            state = self._states[step.id] = state_of(step, done)
            self._spread(step.id, state, numbered_only=True)

    def replace(self, facts: Mapping[str, Done]) -> None:
        """Begin again from these facts, all there are.

        What is taken and has no fact yet stays taken; what had a fact and has lost it may be taken again.
        """
        self._taken -= self._done.keys()
        self._begin(facts)

    def _spread(self, source: str, state: State, *, numbered_only: bool = False) -> None:
        """Answer the needs on this source, and whatever skips follow from that."""
        listeners, rulings, open_needs = self._wiring.listeners, self._rulings, self._open_needs
        todo = [(source, state)]
        while todo:
            source, state = todo.pop()
            row = _ROWS[state.kind]
            for place, column, port, group, is_numbered in listeners.get(source, ()):
                if rulings[place] or (numbered_only and not is_numbered):
                    continue
                found = row[column]
                if column == _PORT and port != state.port:
                    found = _PORT_OF_ANOTHER.get(state.kind, found)
                if group >= 0:
                    found = self._answer_group(group, found, state, is_again=numbered_only)
                if found is Answer.HOLDS:
                    open_needs[place] -= 1
                    if not open_needs[place]:
                        rulings[place] = _RUN
                        self._ready.append(place)
                elif found is Answer.FAILS:
                    rulings[place] = _SKIP
                    step_id = self._wiring.steps[place].id
                    if step_id not in self._done:
                        self._states[step_id] = SKIPPED
                        self._skipped.append(step_id)
                        self._settled += 1
                        todo.append((step_id, SKIPPED))

    def _answer_group(self, group: int, found: Answer, state: State, *, is_again: bool) -> Answer:
        """What one member's answer makes of its group: HOLDS or FAILS in the moment it is decided, else OPEN."""
        wanted = self._wiring.wanted[group]
        if found is Answer.OPEN or (is_again and found is not Answer.HOLDS):
            return Answer.OPEN
        if wanted is not None and found is Answer.HOLDS and state.order == UNCOMMITTED:
            return Answer.OPEN
        self._groups_open[group] -= 1
        if found is Answer.HOLDS:
            self._groups_held[group] += 1
        held, still_open = self._groups_held[group], self._groups_open[group]
        if wanted is None:
            if still_open:
                return Answer.OPEN
            return Answer.HOLDS if held else Answer.FAILS
        if held == wanted and found is Answer.HOLDS:
            return Answer.HOLDS
        return Answer.FAILS if held + still_open < wanted else Answer.OPEN

    def take_ready(self) -> list[Run]:
        """The steps that may run now and were not given out before. Empty once a failure is ending the execution."""
        if self.unhandled is not None or not self._ready:
            return []
        ready, self._ready = self._ready, []
        runs: list[Run] = []
        for place in ready:
            step = self._wiring.steps[place]
            if step.id in self._done or step.id in self._taken:
                continue
            self._taken.add(step.id)
            runs.append(Run(step, self._sees(place, step)))
        return runs

    def _sees(self, place: int, step: StepPlan) -> tuple[str, ...]:
        sees = self._wiring.sees[place]
        if not step.groups:
            return sees
        ordinals = self._wiring.ordinals
        fired = [source for group in step.groups for source in judge_group(group, self._states, ordinals)[1]]
        return tuple(dict.fromkeys([*sees, *fired]))

    @property
    def ready(self) -> tuple[str, ...]:
        """The steps that `take_ready` would give out."""
        if self.unhandled is not None:
            return ()
        ids = (self._wiring.steps[place].id for place in self._ready)
        return tuple(each for each in ids if each not in self._done and each not in self._taken)

    @property
    def skipped(self) -> tuple[str, ...]:
        """The steps whose skip follows from their needs: they have no fact."""
        return tuple(self._skipped)

    @property
    def facts(self) -> Mapping[str, Done]:
        """The facts taken in, by step id."""
        return self._done

    def state_of(self, source: str) -> State:
        """How a step or a source from outside stands."""
        return self._states[source]

    @property
    def is_finished(self) -> bool:
        """Whether every step is settled, by a fact or by a skip that follows."""
        return self._settled == len(self._wiring.steps)

"""When a step runs: the table of design 3.2 as a table, and the judgement of every step from the facts.

`judge` is the plain statement; `engine.readiness.Board` gives the same answers fact by fact. The judgement of a step
that runs or is skipped never changes with more facts, and is the same for every worker (invariant I11).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from chalicelib.engine.facts import Done, How
from chalicelib.flow.plan import Group, Need, StepPlan


class Kind(Enum):
    """How a source stands: the rows of the table."""

    LEFT_BY_IT = "done, left by the port asked for"
    LEFT_BY_ANOTHER = "done, left by another port"
    SKIPPED = "skipped"
    FAILED = "failed or unknown, its error port is named"
    FORGIVEN = "failed or unknown, with on_error"
    FORGIVEN_BY_ANOTHER = "failed or unknown, with on_error, and not the main port asked for"
    UNHANDLED = "failed or unknown, nobody named error"
    OPEN = "open"


class Ask(Enum):
    """What a need asks of its source: the columns of the table."""

    DONE = "done"
    PORT = "a port of its own"
    ERROR = "error"
    SKIPPED = "skipped"
    SETTLED = "settled"


class Answer(Enum):
    """Whether a need holds. What holds or fails stays so."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"


_H, _F, _O = Answer.HOLDS, Answer.FAILS, Answer.OPEN

# The columns in the order of Ask. An `error` need on a source with `on_error` is refused by the check; here it fails,
# so that the table has an answer for everything. An unhandled failure ends the execution: nothing that needs it is
# judged any more.
_ROWS: Mapping[Kind, tuple[Answer, Answer, Answer, Answer, Answer]] = {
    Kind.LEFT_BY_IT: (_H, _H, _F, _F, _H),
    Kind.LEFT_BY_ANOTHER: (_H, _F, _F, _F, _H),
    Kind.SKIPPED: (_F, _F, _F, _H, _H),
    Kind.FAILED: (_F, _F, _H, _F, _H),
    Kind.FORGIVEN: (_H, _H, _F, _F, _H),
    Kind.FORGIVEN_BY_ANOTHER: (_H, _F, _F, _F, _H),
    Kind.UNHANDLED: (_O, _O, _O, _O, _O),
    Kind.OPEN: (_O, _O, _O, _O, _O),
}

HOLDS: Mapping[tuple[Kind, Ask], Answer] = {
    (kind, ask): answer for kind, row in _ROWS.items() for ask, answer in zip(Ask, row, strict=True)
}
"""The table: whether a need holds, by the state of its source and by what it asks."""

_ASKS = {"done": Ask.DONE, "error": Ask.ERROR, "skipped": Ask.SKIPPED, "settled": Ask.SETTLED}
_BY_ANOTHER = {Kind.LEFT_BY_IT: Kind.LEFT_BY_ANOTHER, Kind.FORGIVEN: Kind.FORGIVEN_BY_ANOTHER}

UNCOMMITTED = -1
"""The commit order of a fact that is not recorded yet: it counts for no numbered group."""


@dataclass(frozen=True, slots=True)
class State:
    """How a source stands, the port it was left by, and its place in the commit order."""

    kind: Kind
    port: str = ""
    """The port it was left by; with `on_error` its main port."""
    order: int = 0
    """The record's `rev` before the write that recorded it, or UNCOMMITTED; 0 for what precedes every write."""


OPEN = State(Kind.OPEN)
SKIPPED = State(Kind.SKIPPED)
STARTED = State(Kind.LEFT_BY_IT, "done")
"""A trigger that started the execution."""


def ask_of(need: Need) -> Ask:
    """The column a need asks in."""
    return _ASKS.get(need.port, Ask.PORT)


def answer(need: Need, state: State) -> Answer:
    """Whether the need holds, its source being in this state."""
    ask = ask_of(need)
    kind = state.kind
    if ask is Ask.PORT and state.port != need.port:
        kind = _BY_ANOTHER.get(kind, kind)
    return HOLDS[kind, ask]


def state_of(step: StepPlan, done: Done) -> State:
    """The state that a fact puts a step in; whether its failure is handled is a property of the text."""
    match done.how:
        case How.SUCCEEDED:
            return State(Kind.LEFT_BY_IT, done.port, done.order)
        case How.SKIPPED:
            return SKIPPED
        case How.FAILED | How.UNKNOWN:
            if step.on_error is not None:
                return State(Kind.FORGIVEN, step.ports[0] if step.ports else "done", done.order)
            return State(Kind.FAILED if step.error_is_named else Kind.UNHANDLED, "error", done.order)


def trigger_states(triggers: Iterable[str], started_by: str) -> dict[str, State]:
    """Triggers as sources: the one that started the execution is done, every other one is skipped."""
    return {trigger: STARTED if trigger == started_by else SKIPPED for trigger in triggers}


class Ruling(Enum):
    """What is to become of a step."""

    OPEN = "open"
    RUN = "run"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The ruling on a step, and, if it runs, the sources it sees: plain needs, then what fired each group."""

    ruling: Ruling
    sees: tuple[str, ...] = ()


_WAITS = Judgement(Ruling.OPEN)
_SKIPPED = Judgement(Ruling.SKIP)


def judge(steps: Sequence[StepPlan], facts: Mapping[str, Done], outside: Mapping[str, State]) -> dict[str, Judgement]:
    """The full judgement of every step, by its id, from its needs alone: also of a step that has its fact.

    `facts` are by step id, `outside` holds the sources that are none of these steps (triggers; for a loop's body, the
    steps around it). Raises KeyError for a need on a source that is neither.
    """
    states: dict[str, State] = {step.id: OPEN for step in steps}
    states.update(outside)
    ordinals: dict[str, int] = {step.id: step.ordinal for step in steps}
    for step in steps:
        done = facts.get(step.id)
        if done is not None:
            states[step.id] = state_of(step, done)
    judged: dict[str, Judgement] = {}
    changed = True
    while changed:  # a need may point to a step further down: repeat until no further skip spreads
        changed = False
        for step in steps:
            known = judged.get(step.id, _WAITS)
            if known.ruling is not Ruling.OPEN:
                continue
            judged[step.id] = _judged(step, states, ordinals)
            if judged[step.id] is _SKIPPED and states[step.id] is OPEN:
                states[step.id] = SKIPPED
                changed = True
    return judged


def _judged(step: StepPlan, states: Mapping[str, State], ordinals: Mapping[str, int]) -> Judgement:
    is_open = False
    sees: dict[str, None] = {}
    for need in step.needs:
        found = answer(need, states[need.source])
        if found is Answer.FAILS:
            return _SKIPPED
        is_open = is_open or found is Answer.OPEN
        sees[need.source] = None
    for group in step.groups:
        found, fired = judge_group(group, states, ordinals)
        if found is Answer.FAILS:
            return _SKIPPED
        is_open = is_open or found is Answer.OPEN
        sees.update(dict.fromkeys(fired))
    return _WAITS if is_open else Judgement(Ruling.RUN, tuple(sees))


def judge_group(group: Group, states: Mapping[str, State], ordinals: Mapping[str, int]) -> tuple[Answer, Sequence[str]]:
    """Whether a group holds, and the sources that fired it.

    What feeds a numbered group counts once it is recorded: before that it has no place in the commit order. Facts of
    one write have the same place; among them the document's order decides.
    """
    wanted = group.at_least
    holding: list[str] = []
    still_open = 0
    for need in group.needs:
        state = states[need.source]
        found = answer(need, state)
        if found is Answer.OPEN or (found is Answer.HOLDS and wanted is not None and state.order == UNCOMMITTED):
            still_open += 1
        elif found is Answer.HOLDS:
            holding.append(need.source)
    if wanted is None:
        if still_open:
            return Answer.OPEN, ()
        return (Answer.HOLDS, holding) if holding else (Answer.FAILS, ())
    if len(holding) < wanted:
        return (Answer.FAILS if len(holding) + still_open < wanted else Answer.OPEN), ()
    holding.sort(key=lambda source: (states[source].order, ordinals.get(source, UNCOMMITTED)))
    return Answer.HOLDS, holding[:wanted]

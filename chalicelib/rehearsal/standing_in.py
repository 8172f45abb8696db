"""Standing in for the world: every step comes by here before it acts, and only pure ones really do."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final

from chalicelib.engine.facts import fact_name
from chalicelib.engine.retry import failure_of
from chalicelib.errors import AddressRefusedError, CredentialMissingError, PenstockError
from chalicelib.flow.entries import Catalogue, entry_of
from chalicelib.flow.model import LINKED, LOOPS
from chalicelib.flow.plan import Effect, Plan, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded
from chalicelib.ports import Clock, HttpAnswer, HttpRequest
from chalicelib.rehearsal.suite import Refusal, Reply, Script, mock_of
from chalicelib.worker.attempt import act
from chalicelib.worker.prepared import Prepared, Surroundings
from chalicelib.worker.tools import Tools

_LONGEST_EXAMPLE: Final = 200

_acting: ContextVar[str] = ContextVar("acting", default="")
"""The step that really runs in this task: what reaches for the world is its doing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody will say to a step that waits, and how long that takes from when it began to wait."""

    step: StepPlan
    path: tuple[int, ...]
    reply: Reply


@dataclass(slots=True)
class Seen:
    """What was seen of one case's steps while they ran."""

    calls: dict[tuple[str, tuple[int, ...], int], Mapping[str, Json]] = field(
        default_factory=dict[tuple[str, tuple[int, ...], int], Mapping[str, Json]]
    )
    """Parameters, by step, turns of the loops around it, and attempt."""
    outcomes: dict[tuple[str, tuple[int, ...]], Outcome] = field(
        default_factory=dict[tuple[str, tuple[int, ...]], Outcome]
    )
    """What each came to in the end, by step and turns."""
    unmocked: dict[str, str] = field(default_factory=dict[str, str])
    """By step, what it would have done, and how to mock it."""
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    """By the name of the fact that says that the step waits."""

    def calls_of(self, step: str) -> list[Mapping[str, Json]]:
        """The parameters of each call of a step: turn by turn, each attempt."""
        found = sorted((path, attempt) for name, path, attempt in self.calls if name == step)
        return [self.calls[step, path, attempt] for path, attempt in found]


class Cast:
    """Fulfils `worker.tools.StandIn`: the mocks of one case, and all that is seen of its steps."""

    def __init__(self, plan: Plan, mocks: Mapping[str, Script], catalogue: Catalogue, clock: Clock) -> None:
        self.seen = Seen()
        self._mocks = mocks
        self._first_turns = {
            name: first for step in (*plan.steps, *plan.on_failure) for name, first in _first_turns(step, ())
        }
        self._catalogue = catalogue
        self._clock = clock
        self._tools: Tools | None = None

    def join(self, tools: Tools) -> Tools:
        """The same tools, with this to stand in; what really runs is given them as they are."""
        self._tools = tools
        return replace(tools, stand_in=self)

    async def __call__(self, prepared: Prepared, around: Surroundings, number: int) -> Outcome:
        """What comes of a step that is about to act."""
        step = prepared.step
        self.seen.calls[step.id, around.path, number] = prepared.parameters
        outcome = await self._outcome(prepared, around, number)
        self.seen.outcomes[step.id, around.path] = outcome
        return outcome

    async def _outcome(self, prepared: Prepared, around: Surroundings, number: int) -> Outcome:
        step, tools = prepared.step, self._tools
        if tools is None:
            raise TypeError("nobody has joined")
        is_action = False
        if step.uses not in LOOPS:  # a loop is read by the worker, and here only where it is mocked whole
            try:
                is_action = isinstance(tools.build(step.uses, prepared.parameters), Action)
            except PenstockError as error:
                return Failed(failure_of(error))
        script = self._mocks.get(step.id)
        if script is None:
            if step.effect is Effect.PURE and step.uses not in LINKED | {"call"}:
                return await self._really(tools, prepared, around)
            return self._unmocked(step, f"{self._would(step)}, and has no mock. {self._how_to(step)}")
        first = self._first_turns.get(step.id, ())
        mock = mock_of(script, tuple(turn - one for turn, one in zip(around.path, first, strict=True)), number)
        match mock:
            case None:
                said = f"`{step.id}` is tried once more than its list of mocks says. Add a mock to it."
                return self._unmocked(step, said)
            case Reply() if step.uses in LINKED:
                if mock.port != "expired":
                    answer = Answer(step, around.path, mock)
                    self.seen.answers[fact_name(step.ordinal, around.path)] = answer
                return await self._really(tools, prepared, around)
            case Reply(value, port, after):
                outcome: Outcome = Succeeded(value, port)
            case Refusal(failure, after):
                outcome = Failed(failure)
        return await self._after(step, outcome, after or 0.0, has_timeout=is_action)

    async def _after(self, step: StepPlan, outcome: Outcome, seconds: float, *, has_timeout: bool) -> Outcome:
        """The outcome once it has taken so long; a time-out where that is longer than the step may take."""
        if not has_timeout or seconds < step.timeout_seconds:
            await self._clock.sleep(seconds)
            return outcome
        await self._clock.sleep(step.timeout_seconds)
        said = f"No answer within {step.timeout_seconds:g} s: the mock takes longer."
        return Failed(Failure("timeout", said, is_retriable=True, sent="maybe"))

    async def _really(self, tools: Tools, prepared: Prepared, around: Surroundings) -> Outcome:
        """The node itself."""
        token = _acting.set(prepared.step.id)
        try:
            return await act(tools, prepared, around, prepared.step.timeout_seconds)
        finally:
            _acting.reset(token)

    def _would(self, step: StepPlan) -> str:
        """What a step would do to the world."""
        if step.uses in LINKED:
            return f"`{step.id}` (`{step.uses}`) waits for somebody"
        if step.uses == "call":
            return f"`{step.id}` would start another flow"
        return f"`{step.id}` (`{step.uses}`) would reach the world"

    def _unmocked(self, step: StepPlan, said: str) -> Failed:
        self.seen.unmocked.setdefault(step.id, said)
        return Failed(Failure("unmocked", said))

    def _how_to(self, step: StepPlan) -> str:
        """The line to add, with what the node's own example gives."""
        if step.uses in LINKED:
            port = step.ports[0]
            return f"Say who answers, under `mocks`: {step.id}: {{port: {port}, after: 5m}}"
        example = entry_of(self._catalogue, step.uses).get("example")
        value: Json = example.get("returns") if isinstance(example, dict) and step.uses != "call" else None
        text = json.dumps(value, ensure_ascii=False)
        text = text if len(text) <= _LONGEST_EXAMPLE else "{}"
        port = f", port: {step.ports[0]}" if step.ports != ("done",) else ""
        return f"Add under `mocks`: {step.id}: {{returns: {text}{port}}}"

    def answered(self, answer: Answer) -> None:
        """Somebody has answered a step that waited."""
        self.seen.outcomes[answer.step.id, answer.path] = Succeeded(answer.reply.value, answer.reply.port)

    def reached(self, what: str) -> str:
        """A pure step reached for the world all the same: note it, and say so."""
        name = _acting.get()
        said = f"`{name}` {what}, and has no mock. Add under `mocks`: {name}: {{returns: ...}}"
        if name:
            self.seen.unmocked.setdefault(name, said)
        return said


def _first_turns(step: StepPlan, around: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """For a step and all in its body, what the first turn of each loop around is called: rounds count from 1."""
    yield step.id, around
    for inner in step.body.steps if step.body is not None else ():
        yield from _first_turns(inner, (*around, int(step.uses == "repeat")))


class NoNetwork:
    """Fulfils `ports.Http` by refusing: nothing leaves a rehearsal."""

    def __init__(self, reached: Callable[[str], str]) -> None:
        self._reached = reached

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Refuse."""
        raise AddressRefusedError(self._reached(f"would send {request.method} {request.url.partition('?')[0]}"))


class NoCredentials:
    """Fulfils `ports.Credentials` by refusing: no secret is opened in a rehearsal."""

    def __init__(self, reached: Callable[[str], str]) -> None:
        self._reached = reached

    async def open(self, tenant: str, name: str, *, flow: str = "") -> Mapping[str, str]:
        """Refuse."""
        del tenant, flow
        raise CredentialMissingError(self._reached(f"uses the credential `{name}`"))

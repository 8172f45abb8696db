"""One record, and the writes to it: what is finished becomes facts, what is about to run becomes claims."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chalicelib.engine.facts import Done, Fact, Retrying, Waiting
from chalicelib.engine.packs import LAST, Entry, Outlook
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.salvage import is_recorded, salvage
from chalicelib.engine.writes import ANYWHERE, ENDS, MOST_FACTS, Applied, Commit, Exactly, Finish, Guard, Put
from chalicelib.errors import CutOffError, StoreError, TimedOutError, WorkerMishapError
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.flow.values import Json
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.looks import GRACE, look_at, next_check
from chalicelib.worker.outlook import FACT_BYTES, OPEN_BYTES, outlook
from chalicelib.worker.packing import Packing, json_text
from chalicelib.worker.tools import Tools

TRIES = 20
"""How often a refused or unanswered write is looked at again before the delivery is given back."""

HEAD_BYTES = 330
"""About what a head weighs before any fact: ids, flow, version, times."""

TELLING = Outlook(1, 0)
"""After the end that somebody has to hear of: one write says that they have."""

ENDING = frozenset({Status.ENDING})

KEEPS = Retrying | Waiting
"""The facts that are not final and may keep something with them: attempts so far, what was asked."""


Below: TypeAlias = Callable[[set[str]], set[str]]
"""Which steps depend on one of these, directly or through others."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A step that is settled here and not yet recorded."""

    step: StepPlan
    name: str
    done: Done
    text: str
    """Its entry as JSON, secrets masked; empty where there is nothing to keep."""
    guard: Guard
    entry: Entry


@dataclass(frozen=True, slots=True)
class Open:
    """A step that is about to be claimed, to wait, or to be tried again."""

    put: Put
    step: StepPlan
    text: str = ""
    """What is kept with it: the attempts so far."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one place of an execution wants recorded."""

    finished: Sequence[Finished]
    opens: Mapping[str, Open]


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a write."""

    has_ended: bool = False
    """The end in it was recorded, as it stood in it."""

    existed: bool = False
    """The record was to be created, and somebody else had created it."""
    dropped: frozenset[str] = frozenset()
    """Facts of ours that were not recorded: others were first, or hold the step, or what ours were computed from is
    not what was recorded."""


@dataclass(frozen=True, slots=True)
class _More:
    """What a write holds besides settled steps."""

    opens: Mapping[str, Open] = field(default_factory=dict[str, Open])
    ending: Reason | None = None
    finish: Finish | None = None
    output: Json = None
    expires: int = 0
    is_failure_handling: bool = False
    """These are `on_failure` steps: they start while it is ending."""
    becomes: Status | None = None
    is_leaving: bool = False
    """Nothing more is done here: the sweeper need not think that somebody is at it."""


_NOTHING_MORE = _More()


def _puts(finished: Sequence[Finished], more: _More, pack: str) -> Mapping[str, Put]:
    """The facts of a write; `pack` names where its texts lie."""
    puts: dict[str, Put] = {}
    for each in finished:
        done = each.done
        if each.text:
            done = Done(done.how, done.port, done.attempt, done.ended, pack, done.order)
        puts[each.name] = Put(done, each.guard, numbered=each.step.feeds_count)
    for name, each in more.opens.items():
        put, fact = each.put, each.put.fact
        puts[name] = replace(put, fact=replace(fact, pack=pack)) if each.text and isinstance(fact, KEEPS) else put
    return puts


class CameBeforeError(Exception):
    """The execution was to be created here, and another delivery had created it; caught by whoever accepts."""

    def __init__(self, image: Image) -> None:
        super().__init__(image.key.execution)
        self.image = image


class Ledger:
    """The one writer of a record in this invocation; its writes follow one another."""

    def __init__(
        self,
        tools: Tools,
        key: RecordKey,
        budget: Budget,
        image: Image | None,
        *,
        birth: Birth | None = None,
        input_text: str = "",
        epoch: int = 0,
        expires: int = 0,
    ) -> None:
        """`birth` and `input_text` create a head with the first write; a loop's record needs neither.

        `expires` (epoch seconds) is when the store may forget a record whose writes do not say so themselves.
        """
        self.key = key
        self.image = image
        self.writes = 0
        self.must_create = False
        """Raise CameBeforeError where the execution exists already, rather than go on with it."""
        self.below: Below = _nothing_below
        """Where somebody else was first with a fact, what rests on ours goes too: set by whoever runs steps on it."""
        self.plan: Plan | None = None
        """What a head may still come to hold: set by whoever opens one."""
        self._tools = tools
        self._budget = budget
        self._birth = birth
        self._input_text = input_text
        self._epoch = image.epoch if image else epoch
        self._expires = expires
        self._lock = asyncio.Lock()

    @property
    def birth(self) -> Birth | None:
        """How the head was born, or will be."""
        return self.image.birth if self.image is not None else self._birth

    async def carry_out(self, commit: Commit) -> bool:
        """A write of a special make on this record; whether it took place, or its effect stands already."""
        async with self._lock:
            for tried in range(TRIES):
                try:
                    answer = await self._tools.facts.write(commit)
                except (TimedOutError, CutOffError):
                    await self._tools.clock.sleep(min(0.05 * 2**tried, 1.0))
                    continue
                self.image = answer.image or self.image
                return isinstance(answer, Applied) or (answer.image is not None and is_recorded(commit, answer.image))
        raise StoreError(f"the record of execution {self.key.execution} did not settle in {TRIES} tries")

    @property
    def epoch(self) -> int:
        """The epoch whose facts this invocation may write."""
        return self._epoch

    async def look(self) -> None:
        """Read the record: somebody else has written to it."""
        async with self._lock:
            self.image = await self._tools.facts.read(self.key) or self.image

    async def commit(
        self,
        finished: Sequence[Finished] = (),
        opens: Mapping[str, Open] | None = None,
        *,
        is_failure_handling: bool = False,
        ending: Reason | None = None,
        finish: Finish | None = None,
        output: Json = None,
        expires: int = 0,
        is_leaving: bool = False,
    ) -> Committed:
        """Record it all in one write (more only beyond 100 facts).

        Raises WorkerMishapError where the record went away or would not settle, StoreError where the store failed.
        """
        more = _More(opens or {}, ending, finish, output, expires, is_failure_handling, is_leaving=is_leaving)
        return await self._commit(finished, more, [Part(finished, more.opens)])

    async def create(self, becomes: Status | None = None) -> Committed:
        """Create the head, in this status where it is another than running; raises as `commit` does."""
        return await self._commit((), _More(becomes=becomes), [Part((), {})])

    async def commit_together(self, parts: Sequence[Part]) -> Committed:
        """The same of what several turns record in one moment; what one loses takes nothing of another along."""
        finished = [each for part in parts for each in part.finished]
        opens = {name: each for part in parts for name, each in part.opens.items()}
        return await self._commit(finished, _More(opens), parts)

    async def _commit(self, finished: Sequence[Finished], more: _More, parts: Sequence[Part]) -> Committed:
        async with self._lock:
            origins = _Origins(parts, self.below)
            result = Committed()
            for write in _cut(finished, more):
                part, rest = _without(*write, result.dropped) if result.dropped else write
                result = await self._write(await self._compose(part, rest), origins, result)
            return result

    async def _compose(self, finished: Sequence[Finished], more: "_More") -> Commit:
        tools, opens, finish = self._tools, more.opens, more.finish
        creates = self.image is None
        weight = self.image.size if self.image else HEAD_BYTES
        weight += FACT_BYTES * len(finished) + OPEN_BYTES * len(opens)
        packing = Packing(self.image, weight, self._outlook(finished, finish), tools.ids, tools.blobs)
        birth = self._birth if creates else None
        if birth is not None and self._input_text:
            birth = replace(birth, input_pack=await packing.keep(self._input_text))
        pack = ""
        texts = [f'"{each.name}":{each.text}' for each in finished if each.text]
        texts += [f'"{name}":{each.text}' for name, each in opens.items() if each.text]
        if texts:
            pack = await packing.keep("{" + ",".join(texts) + "}")
        if finish is not None and more.output is not None:
            text = json_text({"output": more.output})
            finish = replace(finish, output_pack=await packing.keep(text))
        now = to_milliseconds(tools.clock.now())
        # What begins to end is looked at soon: whoever holds a step of it may be the last to know, and may die.
        due = [now + GRACE] if more.ending is not None and finish is None else []
        due += [
            look_at(fact.due, now) for each in opens.values() if isinstance(fact := each.put.fact, KEEPS) and fact.due
        ]
        return Commit(
            key=self.key,
            epoch=self._epoch,
            now=now,
            boot=tools.settings.boot,
            birth=birth,
            creates=creates and not self.key.is_head,
            puts=_puts(finished, more, pack),
            allowed=_allowed(more, self.image, is_head=self.key.is_head, is_overdue=self._is_overdue(now)),
            ending=more.ending,
            finish=finish,
            busy=now if more.is_leaving else self._budget.deadline,
            next_check=next_check(due, self._budget, birth) if due or creates else None,
            inline=packing.inline,
            packs=packing.packs,
            expires=more.expires or self._expires,
            becomes=more.becomes if creates else None,
            seen_rev=_seen_rev(finish, self.image),
        )

    def _is_overdue(self, now: int) -> bool:
        return self.birth is not None and 0 < self.birth.deadline <= now

    def _outlook(self, finished: Sequence[Finished], finish: Finish | None) -> Outlook:
        """Which writes may follow this one, and bill again what it puts into the record."""
        if finish is not None:
            return LAST if finish.told else TELLING
        facts: Mapping[str, Fact] = self.image.facts if self.image is not None else {}
        return outlook(self.plan, facts, {each.name for each in finished})

    async def _write(self, commit: Commit, origins: "_Origins", so_far: Committed) -> Committed:
        """Write until it is recorded, here or by somebody else; a refused write is not lost as a whole (design 4.5)."""
        for tried in range(TRIES):
            try:
                self.writes += 1
                answer = await self._tools.facts.write(commit)
            except (TimedOutError, CutOffError):
                # Unknown. The same write again is safe: if it took place, it is refused and the image shows our own.
                await self._tools.clock.sleep(min(0.05 * 2**tried, 1.0))
                continue
            if answer.image is None:
                raise WorkerMishapError(f"the record of execution {self.key.execution} is gone")
            self.image = answer.image
            if isinstance(answer, Applied) or is_recorded(commit, answer.image):
                return replace(so_far, has_ended=commit.finish is not None)
            if self.must_create and commit.birth is not None:
                raise CameBeforeError(answer.image)
            rest, so_far = _left(commit, answer.image, origins, so_far)
            if rest is None:
                return so_far
            commit = rest
        raise StoreError(f"the record of execution {self.key.execution} did not settle in {TRIES} tries")


def _allowed(more: _More, image: Image | None, *, is_head: bool, is_overdue: bool) -> frozenset[Status]:
    """Where the write may take place, as far as what is in it does not say."""
    if more.finish is not None and image is not None and is_head and not image.status.is_terminal:
        # Where it was judged: who began to end it meanwhile, for another reason, or has paused it, is not overruled.
        is_another = image.reason is not None and image.reason.how is not more.finish.status
        is_held = image.status is Status.PAUSED and not is_overdue
        return frozenset() if is_another or is_held else frozenset({image.status})
    if more.is_failure_handling and is_head:
        return ENDING
    if more.ending is not None and more.ending.how is Status.FAILED and not is_overdue:
        return ENDS  # a failure in a paused execution is judged once it goes on: a pause starts no `on_failure` step
    return ANYWHERE


def _seen_rev(finish: Finish | None, image: Image | None) -> int | None:
    """An end other than success stands only where nobody has written since it was judged: it may have been a claim."""
    if finish is None or image is None or (image.key.is_head and finish.status is Status.SUCCEEDED):
        return None
    return image.rev


def _nothing_below(steps: set[str]) -> set[str]:
    """For a write whose facts rest on nothing in it."""
    del steps
    return set()


class _Origins:
    """Which facts of one write rest on others of it. Asked only where a write was refused."""

    __slots__ = ("_below", "_parts")

    def __init__(self, parts: Sequence[Part], below: Below) -> None:
        self._parts, self._below = parts, below

    def resting_on(self, names: frozenset[str]) -> frozenset[str]:
        """The facts that were computed, or became ready, by one of these."""
        return frozenset[str]().union(*(_resting_on(part, names, self._below) for part in self._parts))


def _resting_on(part: Part, names: frozenset[str], below: Below) -> frozenset[str]:
    """A skip that follows leaves no fact and makes steps ready all the same: so the plan is asked, not what they saw.

    What stands on a fact of its own (`Exactly`: a claim, a wait) began when all that it rests on was durable.
    """
    steps = {each.name: each.step.id for each in part.finished}
    steps |= {name: each.step.id for name, each in part.opens.items()}
    durable = {each.name for each in part.finished if isinstance(each.guard, Exactly)}
    durable |= {name for name, each in part.opens.items() if isinstance(each.put.guard, Exactly)}
    stale = below({steps[name] for name in names if name in steps})
    return frozenset(name for name, step in steps.items() if step in stale and name not in durable)


def _cut(finished: Sequence[Finished], more: _More) -> Iterator[tuple[Sequence[Finished], _More]]:
    """Into writes of at most 100 facts; the end goes with the last."""
    begin = 0
    while len(finished) - begin > MOST_FACTS:
        yield finished[begin : begin + MOST_FACTS], _NOTHING_MORE
        begin += MOST_FACTS
    part, names = finished[begin:], list(more.opens)
    while len(part) + len(names) > MOST_FACTS:
        room = MOST_FACTS - len(part)
        opens = {name: more.opens[name] for name in names[:room]}
        yield part, _More(opens, is_failure_handling=more.is_failure_handling)
        part, names = (), names[room:]
    yield (
        part,
        more if len(names) == len(more.opens) else replace(more, opens={name: more.opens[name] for name in names}),
    )


def _without(finished: Sequence[Finished], more: _More, dropped: frozenset[str]) -> tuple[Sequence[Finished], _More]:
    """A further write after one that lost something: without what was computed from that, and without the end."""
    opens = {name: each for name, each in more.opens.items() if name not in dropped}
    return [each for each in finished if each.name not in dropped], replace(more, opens=opens, ending=None, finish=None)


def _left(commit: Commit, image: Image, origins: _Origins, so_far: Committed) -> tuple[Commit | None, Committed]:
    """What is left of a refused write, without what was computed from facts that are not what was recorded."""
    saved = salvage(commit, image)
    dropped = so_far.dropped | saved.adopted | saved.refused
    dropped |= origins.resting_on(dropped)
    existed = so_far.existed or commit.birth is not None or commit.creates
    rest = saved.rest
    if rest is not None and dropped & rest.puts.keys():
        # Stale: computed here from what somebody else has recorded otherwise. The failure that ends it may be one.
        rest = replace(rest.without(dropped), ending=None, finish=None)
    if rest is not None and not rest.puts and rest.ending is None and rest.finish is None:
        rest = None
    return rest, Committed(existed=existed, dropped=dropped)


def is_over(image: Image) -> bool:
    """Whether nothing more may be started: it is ending, or has ended."""
    return image.status is Status.ENDING or image.status.is_terminal

"""One record, and the writes to it: what is finished becomes facts, what is about to run becomes claims."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chalicelib.engine.facts import Done, Retrying, Waiting
from chalicelib.engine.packs import Entry
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.salvage import is_recorded, salvage
from chalicelib.engine.writes import ANYWHERE, MOST_FACTS, Applied, Commit, Finish, Guard, Put
from chalicelib.errors import CutOffError, StoreError, TimedOutError, WorkerMishapError
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.values import Json
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.packing import Packing, json_text
from chalicelib.worker.tools import Tools

TRIES = 20
"""How often a refused or unanswered write is looked at again before the delivery is given back."""

HEAD_BYTES = 400
"""About what a head weighs before any fact: ids, flow, version, times."""

FACT_BYTES = 48
"""About what a fact weighs, its attribute name included."""

ENDING = frozenset({Status.ENDING})


@dataclass(frozen=True, slots=True)
class Finished:
    """A step that is settled here and not yet recorded."""

    step: StepPlan
    name: str
    done: Done
    text: str
    """Its entry as JSON, secrets masked; empty where there is nothing to keep."""
    guard: Guard
    sees: tuple[str, ...]
    """The steps it was computed from."""
    entry: Entry


@dataclass(frozen=True, slots=True)
class Open:
    """A step that is about to be claimed, to wait, or to be tried again."""

    put: Put
    step: StepPlan
    sees: tuple[str, ...]
    """The steps that its parameters were computed from."""
    text: str = ""
    """What is kept with it: the attempts so far."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a write."""

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
        puts[name] = replace(put, fact=replace(fact, pack=pack)) if each.text and isinstance(fact, Retrying) else put
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
        self._tools = tools
        self._budget = budget
        self._birth = birth
        self._input_text = input_text
        self._epoch = image.epoch if image else epoch
        self._expires = expires
        self._lock = asyncio.Lock()

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
    ) -> Committed:
        """Record it all in one write (more only beyond 100 facts).

        Raises WorkerMishapError where the record went away or would not settle, StoreError where the store failed.
        """
        async with self._lock:
            sources = _sources(finished, opens or {})
            more = _More(opens or {}, ending, finish, output, expires, is_failure_handling)
            result = Committed()
            for write in _cut(finished, more):
                part, rest = _without(*write, result.dropped) if result.dropped else write
                result = await self._write(await self._compose(part, rest), sources, result)
            return result

    async def _compose(self, finished: Sequence[Finished], more: "_More") -> Commit:
        tools, opens, finish = self._tools, more.opens, more.finish
        creates = self.image is None
        # No write follows that would bill these values again: inline they cost what a pack would, and one write less.
        is_last = finish is not None and finish.told
        weight = self.image.size if self.image else HEAD_BYTES
        packing = Packing(self.image, weight + FACT_BYTES * (len(finished) + len(opens)), tools.ids, tools.blobs)
        birth = self._birth if creates else None
        if birth is not None and self._input_text:
            birth = replace(birth, input_pack=await packing.keep(self._input_text, creates_and_ends=is_last))
        pack = ""
        texts = [f'"{each.name}":{each.text}' for each in finished if each.text]
        texts += [f'"{name}":{each.text}' for name, each in opens.items() if each.text]
        if texts:
            pack = await packing.keep("{" + ",".join(texts) + "}", creates_and_ends=is_last)
        if finish is not None and more.output is not None:
            text = json_text({"output": more.output})
            finish = replace(finish, output_pack=await packing.keep(text, creates_and_ends=is_last))
        due = [fact.due for each in opens.values() if isinstance(fact := each.put.fact, Waiting | Retrying)]
        return Commit(
            key=self.key,
            epoch=self._epoch,
            now=to_milliseconds(tools.clock.now()),
            boot=tools.settings.boot,
            birth=birth,
            creates=creates and not self.key.is_head,
            puts=_puts(finished, more, pack),
            allowed=ENDING if more.is_failure_handling and self.key.is_head else ANYWHERE,
            ending=more.ending,
            finish=finish,
            busy=self._budget.deadline,
            next_check=min([*due, self._budget.lease_until]) if due or creates else None,
            inline=packing.inline,
            packs=packing.packs,
            expires=more.expires or self._expires,
        )

    async def _write(self, commit: Commit, sources: Mapping[str, frozenset[str]], so_far: Committed) -> Committed:
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
                return so_far
            if self.must_create and commit.birth is not None:
                raise CameBeforeError(answer.image)
            rest, so_far = _left(commit, answer.image, sources, so_far)
            if rest is None:
                return so_far
            commit = rest
        raise StoreError(f"the record of execution {self.key.execution} did not settle in {TRIES} tries")


def _sources(finished: Sequence[Finished], opens: Mapping[str, Open]) -> Mapping[str, frozenset[str]]:
    """For each fact to be written the facts, to be written with it, that it was computed from."""
    names = {each.step.id: each.name for each in finished}
    sources = {each.name: frozenset(names[s] for s in each.sees if s in names) for each in finished}
    for name, each in opens.items():
        sources[name] = frozenset(names[s] for s in each.sees if s in names)
    return sources


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


def _left(
    commit: Commit, image: Image, sources: Mapping[str, frozenset[str]], so_far: Committed
) -> tuple[Commit | None, Committed]:
    """What is left of a refused write, without what was computed from facts that are not what was recorded."""
    saved = salvage(commit, image)
    dropped = so_far.dropped | saved.adopted | saved.refused
    dropped |= _computed_from(dropped, sources)
    existed = so_far.existed or commit.birth is not None or commit.creates
    rest = saved.rest
    if rest is not None and dropped & rest.puts.keys():
        # Stale: computed here from what somebody else has recorded otherwise. The failure that ends it may be one.
        rest = replace(rest.without(dropped), ending=None, finish=None)
    if rest is not None and not rest.puts and rest.ending is None and rest.finish is None:
        rest = None
    return rest, Committed(existed, dropped)


def is_over(image: Image) -> bool:
    """Whether nothing more may be started: it is ending, or has ended."""
    return image.status is Status.ENDING or image.status.is_terminal


def _computed_from(names: frozenset[str], sources: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The facts of one write that were computed, directly or not, from these."""
    found: set[str] = set()
    while True:
        more = {name for name, origin in sources.items() if name not in found and origin & (names | found)}
        if not more:
            return frozenset(found)
        found |= more

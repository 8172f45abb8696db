"""One record, and the writes to it: what is finished becomes facts, what is about to run becomes claims."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chalicelib.engine.facts import Done, Retrying, Waiting
from chalicelib.engine.packs import Entry
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.salvage import is_recorded, salvage
from chalicelib.engine.writes import ANYWHERE, Applied, Commit, Finish, Guard, Put
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

MOST_FACTS = 100
"""In one write: DynamoDB takes 300 operators in an expression (developer guide, service quotas)."""


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
class Committed:
    """What became of a write: facts that others recorded first, and claims that others hold."""

    existed: bool = False
    """The record was to be created, and somebody else had created it."""
    adopted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    """Facts in the image that this invocation did not know."""


@dataclass(frozen=True, slots=True)
class _More:
    """What a write holds besides settled steps."""

    opens: Mapping[str, Put] = field(default_factory=dict[str, Put])
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
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
    for name, put in more.opens.items():
        is_told = name in more.texts and isinstance(put.fact, Retrying)
        puts[name] = replace(put, fact=replace(put.fact, pack=pack)) if is_told else put
    return puts


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
    ) -> None:
        """`birth` and `input_text` create a head with the first write; a loop's record needs neither."""
        self.key = key
        self.image = image
        self.writes = 0
        self._tools = tools
        self._budget = budget
        self._birth = birth
        self._input_text = input_text
        self._epoch = image.epoch if image else epoch
        self._lock = asyncio.Lock()

    @property
    def epoch(self) -> int:
        """The epoch whose facts this invocation may write."""
        return self._epoch

    async def commit(
        self,
        finished: Sequence[Finished] = (),
        opens: Mapping[str, Put] | None = None,
        *,
        texts: Mapping[str, str] | None = None,
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
            rest = list(finished)
            result = Committed()
            while len(rest) > MOST_FACTS:
                part, rest = rest[:MOST_FACTS], rest[MOST_FACTS:]
                result = _both(result, await self._write(await self._compose(part, _NOTHING_MORE)))
            more = _More(opens or {}, texts or {}, ending, finish, output, expires, is_failure_handling)
            last = await self._compose(rest, more)
            return _both(result, await self._write(last))

    async def _compose(
        self, finished: Sequence[Finished], more: "_More"
    ) -> tuple[Commit, Mapping[str, frozenset[str]]]:
        """The write, and for each of its facts the facts of the same write it was computed from."""
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
        texts += [f'"{name}":{text}' for name, text in more.texts.items()]
        if texts:
            pack = await packing.keep("{" + ",".join(texts) + "}", creates_and_ends=is_last)
        if finish is not None and more.output is not None:
            text = json_text({"output": more.output})
            finish = replace(finish, output_pack=await packing.keep(text, creates_and_ends=is_last))
        due = [put.fact.due for put in opens.values() if isinstance(put.fact, Waiting | Retrying)]
        commit = Commit(
            key=self.key,
            epoch=self._epoch,
            now=to_milliseconds(tools.clock.now()),
            boot=tools.settings.boot,
            birth=birth,
            creates=creates and not self.key.is_head,
            puts=_puts(finished, more, pack),
            allowed=ENDING if more.is_failure_handling else ANYWHERE,
            ending=more.ending,
            finish=finish,
            busy=self._budget.deadline,
            next_check=min([*due, self._budget.lease_until]) if due or creates else None,
            inline=packing.inline,
            packs=packing.packs,
            expires=more.expires,
        )
        names = {each.step.id: each.name for each in finished}
        return commit, {each.name: frozenset(names[s] for s in each.sees if s in names) for each in finished}

    async def _write(self, composed: tuple[Commit, Mapping[str, frozenset[str]]]) -> Committed:
        """Write until it is recorded, here or by somebody else; a refused write is not lost as a whole (design 4.5)."""
        commit, sources = composed
        before = frozenset(self.image.facts) if self.image else frozenset[str]()
        mine = frozenset(commit.puts)
        result = Committed()
        for tried in range(TRIES):
            try:
                self.writes += 1
                answer = await asyncio.shield(self._tools.facts.write(commit))
            except (TimedOutError, CutOffError):
                # Unknown. The same write again is safe: if it took place, it is refused and the image shows our own.
                await self._tools.clock.sleep(min(0.05 * 2**tried, 1.0))
                continue
            if answer.image is None:
                raise WorkerMishapError(f"the record of execution {self.key.execution} is gone")
            self.image = answer.image
            if isinstance(answer, Applied) or is_recorded(commit, answer.image):
                return self._told(result, before, mine)
            rest, result = _left(commit, answer.image, sources, result)
            if rest is None:
                return self._told(result, before, mine)
            commit = rest
        raise StoreError(f"the record of execution {self.key.execution} did not settle in {TRIES} tries")

    def _told(self, result: Committed, before: frozenset[str], mine: frozenset[str]) -> Committed:
        now = frozenset(self.image.facts) if self.image else frozenset[str]()
        return replace(result, others=now - before - (mine - result.adopted - result.refused))


def _left(
    commit: Commit, image: Image, sources: Mapping[str, frozenset[str]], so_far: Committed
) -> tuple[Commit | None, Committed]:
    """What is left of a refused write, without what was computed from facts that others have replaced."""
    saved = salvage(commit, image)
    adopted = so_far.adopted | saved.adopted
    stale = _computed_from(adopted, sources)
    existed = so_far.existed or commit.birth is not None or commit.creates
    result = Committed(existed, adopted | stale, so_far.refused | saved.refused)
    return (saved.rest.without(stale) if saved.rest else None), result


def is_over(image: Image) -> bool:
    """Whether nothing more may be started: it is ending, or has ended."""
    return image.status is Status.ENDING or image.status.is_terminal


def _both(one: Committed, two: Committed) -> Committed:
    return Committed(
        one.existed or two.existed, one.adopted | two.adopted, one.refused | two.refused, one.others | two.others
    )


def _computed_from(names: frozenset[str], sources: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The facts of one write that were computed, directly or not, from these."""
    found: set[str] = set()
    while True:
        more = {name for name, origin in sources.items() if name not in found and origin & (names | found)}
        if not more:
            return frozenset(found)
        found |= more

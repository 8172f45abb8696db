"""A whole deployment in memory for one case: the real door, worker and sweeper, on virtual time."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from chalicelib import catalogue
from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.adapters.memory.queue import MemoryQueue
from chalicelib.adapters.memory.versions import MemoryVersions
from chalicelib.engine.facts import Waiting
from chalicelib.engine.ids import crockford, ulid
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.writes import Answer as Written
from chalicelib.engine.writes import Write
from chalicelib.errors import PenstockError
from chalicelib.flow.plan import Effect, Plan, StepPlan
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Details, Door, Entered, Knock, Link, Live, Received, Signal, TurnedAway, Versions
from chalicelib.rehearsal.clock import VirtualClock
from chalicelib.rehearsal.meanwhile import Meanwhile
from chalicelib.rehearsal.standing_in import Answer, Cast, NoCredentials, NoNetwork
from chalicelib.worker.budget import Budget, from_milliseconds, to_milliseconds
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Ends
from chalicelib.worker.links import Links
from chalicelib.worker.listener import work_off
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.sweeper import sweep
from chalicelib.worker.tools import Settings, Tools

TENANT: Final = "main"
BASE_URL: Final = "https://penstock.example"
LONGEST_SECONDS: Final = 3_700 * 86_400
"""How much virtual time a case may take: ten years, the longest duration there is, and a little more."""
MOST_LOOKS: Final = 100_000
"""How often the sweeper looks before a case is given up: a wait of a year takes a third of it."""
_LOOK_SECONDS: Final = 60.0
_LINK_KEY: Final = bytes(range(32))
"""Of links that nobody outside ever sees; always the same, so that every run is."""


class _CountedIds:
    """Fulfils `ports.Ids`: the same names on every run."""

    def __init__(self) -> None:
        self._count = 0

    def execution(self, now: datetime) -> str:
        """A ULID of this moment."""
        self._count += 1
        return ulid(to_milliseconds(now), self._count.to_bytes(10, "big"))

    def token(self) -> str:
        """The next number."""
        self._count += 1
        return crockford(self._count)


class _WatchedFacts(MemoryFacts):
    """Facts that tell of every write."""

    def __init__(self, tell: Callable[[Image], None]) -> None:
        super().__init__()
        self._tell = tell

    async def write(self, write: Write) -> Written:
        """Carry the write out, and tell how the record stands then."""
        answer = await super().write(write)
        if answer.image is not None:
            self._tell(answer.image)
        return answer


class _StagedPlans(RememberedPlans):
    """Plans in which a loop that is mocked is a step like any other: its body does not run."""

    def __init__(self, versions: Versions, entries: Mapping[str, Json], clock: Clock, mocked: frozenset[str]) -> None:
        super().__init__(versions, entries, clock, pointer_age=0)
        self._mocked = mocked
        self._staged: dict[str, Plan] = {}

    async def plan(self, tenant: str, flow: str, version: str) -> Plan:
        """The plan of a version; raises NotFoundError."""
        plan = await super().plan(tenant, flow, version)
        if version not in self._staged:
            self._staged[version] = self._stage(plan)
        return self._staged[version]

    def _stage(self, plan: Plan) -> Plan:
        steps, on_failure = self._steps(plan.steps), self._steps(plan.on_failure)
        by_id: dict[str, StepPlan] = {}
        waiting = [*steps, *on_failure]
        for step in waiting:
            by_id[step.id] = step
            waiting.extend(step.body.steps if step.body is not None else ())
        return replace(plan, steps=steps, on_failure=on_failure, by_id=by_id)

    def _steps(self, steps: tuple[StepPlan, ...]) -> tuple[StepPlan, ...]:
        return tuple(self._step(step) for step in steps)

    def _step(self, step: StepPlan) -> StepPlan:
        if step.body is None:
            return step
        if step.id in self._mocked:
            return replace(step, body=None, effect=Effect.PURE)
        return replace(step, body=replace(step.body, steps=self._steps(step.body.steps)))


class Deployment:
    """One case's own house: publish a version, knock, and let it play out."""

    def __init__(self, clock: VirtualClock, cast: Cast, mocked: frozenset[str]) -> None:
        """`mocked` are the steps with a mock."""
        self._clock = clock
        self._cast = cast
        self._facts = _WatchedFacts(self._look_at)
        self._queue = MemoryQueue(clock)
        self._versions = MemoryVersions()
        plans = _StagedPlans(self._versions, catalogue.entries(), clock, mocked)

        async def fetch_key() -> bytes:
            return _LINK_KEY

        self._tools = cast.join(
            Tools(
                clock=clock,
                ids=_CountedIds(),
                facts=self._facts,
                queue=self._queue,
                blobs=MemoryBlobs(),
                http=NoNetwork(cast.reached),
                credentials=NoCredentials(cast.reached),
                evaluator=HereEvaluator(),
                plans=plans,
                build=catalogue.build,
                # One invocation sleeps through whatever must be slept through: nothing here cuts it short.
                settings=Settings(base_url=BASE_URL, inline_wait_seconds=LONGEST_SECONDS),
                links=Links(fetch_key, BASE_URL),
                sandbox=Meanwhile(),
            )
        )
        self._door: Door = FrontDoor(self._tools, Ends())
        self._checks: dict[RecordKey, int] = {}
        self._answered: set[tuple[str, str]] = set()
        self._written = asyncio.Event()
        self._ended = asyncio.Event()
        self._execution = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def enter(self, plan: Plan, text: str, knock: Knock) -> Entered | TurnedAway:
        """Publish a version, and start it; raises what the door raises."""
        now = to_milliseconds(self._clock.now())
        await self._versions.put(TENANT, plan.flow, plan.version, text, now)
        await self._versions.set_live(Live(TENANT, plan.flow, plan.version, enabled=True, published=now, rev=1))
        staged = await self._tools.plans.plan(TENANT, plan.flow, plan.version)
        return await self._door.enter(replace(knock, plan=staged))

    async def play(self, execution: str) -> Details:
        """Let everything happen until the execution has ended, or nothing more would; everything about it then."""
        self._execution = execution
        over = asyncio.create_task(self._clock.sleep(LONGEST_SECONDS))
        ended = asyncio.create_task(self._ended.wait())
        self._begin(self._listen())
        self._begin(self._sweep())
        try:
            await asyncio.wait({over, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks: list[asyncio.Task[Any]] = [over, ended, *self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return await self._door.details(TENANT, execution)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self) -> None:
        """Work every message off as soon as it may be."""
        while True:
            for each in await self._queue.receive(64, LONGEST_SECONDS):
                self._begin(self._work(each))

    async def _work(self, received: Received) -> None:
        budget = Budget(to_milliseconds(self._clock.now()) + LONGEST_SECONDS * 1000)
        delay = await work_off(self._tools, received, budget)
        if delay is None:
            await self._queue.acknowledge([received])
        else:
            await self._queue.fail(received, delay)

    async def _sweep(self) -> None:
        """Sweep at the very moment that something is due; a server does so each minute."""
        for _ in range(MOST_LOOKS):
            due = min(self._checks.values(), default=None)
            left = LONGEST_SECONDS if due is None else (due - to_milliseconds(self._clock.now())) / 1000
            if left <= 0:
                await sweep(self._tools)
                if min(self._checks.values(), default=due) == due:
                    await self._clock.sleep(_LOOK_SECONDS)
                continue
            self._written.clear()
            sleep = asyncio.ensure_future(self._clock.sleep(left))
            written = asyncio.ensure_future(self._written.wait())
            try:
                await asyncio.wait({sleep, written}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleep.cancel()
                written.cancel()
        self._ended.set()

    def _look_at(self, image: Image) -> None:
        """A record was written: answer what began to wait, mind its next look, see whether all is over."""
        for name, fact in image.facts.items():
            answer = self._cast.seen.answers.get(name)
            if answer is None or not isinstance(fact, Waiting) or (image.key.part, name) in self._answered:
                continue
            self._answered.add((image.key.part, name))
            self._begin(self._answer(answer, image.key, fact))
        if not image.key.is_head:
            return
        if image.next_check is None:
            self._checks.pop(image.key, None)
        else:
            self._checks[image.key] = image.next_check
        if image.key.execution == self._execution and image.status.is_terminal and image.next_check is None:
            self._ended.set()
        self._written.set()

    async def _answer(self, answer: Answer, key: RecordKey, fact: Waiting) -> None:
        """Somebody answers after as long as the mock says; too late, where it has expired by then."""
        due = fact.since + int((answer.reply.after_seconds or 0.0) * 1000)
        await self._clock.sleep((from_milliseconds(due) - self._clock.now()).total_seconds())
        link = Link(key.tenant, key.execution, key.part, answer.step.id, answer.path)
        try:
            await self._door.signal(link, Signal(answer.reply.port, answer.reply.value))
        except PenstockError:
            return
        self._cast.answered(answer)

"""Processes that die: a world that survives them, ports that count their calls, and what must always hold.

A life is one process: its calls to the world are counted, and at a chosen one, before or after it took effect, the
process is gone. Nothing it does afterwards reaches the world. The next life finds what is stored and queued.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from chalicelib import catalogue
from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.adapters.memory.queue import MemoryQueue
from chalicelib.adapters.memory.versions import MemoryVersions
from chalicelib.engine.facts import Done
from chalicelib.engine.ids import hashed_id
from chalicelib.engine.messages import Message, Resume, Send, Start
from chalicelib.engine.records import Birth, Image, RecordKey
from chalicelib.engine.writes import Applied
from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.flow.text import read_yaml
from chalicelib.ports import Details, HttpAnswer, HttpRequest, Live
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.details import details_of
from chalicelib.worker.listener import work_off
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.tools import Settings, Tools
from tests.worker.house import CountedIds, FixedCredentials, JumpingClock

URL = "https://api.example"


class DiedError(BaseException):
    """The process is gone: nothing catches it."""


@dataclass
class Server:
    """The outside: every answer has a number of its own, so that a repeated read is another value."""

    script: dict[str, list[Any]] = field(default_factory=dict)
    """By path: answers for the first requests; afterwards 200."""
    seen: list[HttpRequest] = field(default_factory=list)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.seen.append(request)
        path = path_of(request)
        scripted = self.script.get(path, [])
        if scripted:
            answer = scripted.pop(0)
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, HttpAnswer):
                return answer
        body = {"path": path, "n": len(self.seen)}
        return HttpAnswer(200, (("content-type", "application/json"),), json.dumps(body).encode())

    def effects(self, path: str) -> list[HttpRequest]:
        return [each for each in self.seen if each.method != "GET" and path_of(each) == path]


def path_of(request: HttpRequest) -> str:
    return "/" + request.url.split("://", 1)[1].partition("/")[2].partition("?")[0]


class CheckedFacts:
    """A store that watches its records: I1, I5, L3 and the count of writes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.ends: Counter[RecordKey] = Counter()
        self.writes = 0

    async def write(self, write: Any) -> Any:
        before: Image | None = await self.inner.read(write.key)
        answer = await self.inner.write(write)
        after: Image | None = answer.image
        self.writes += isinstance(answer, Applied)
        if before is not None and after is not None and isinstance(answer, Applied):
            for name, fact in before.facts.items():
                if isinstance(fact, Done):
                    assert after.facts.get(name) == fact, f"I1: {name} was {fact} and became {after.facts.get(name)}"
            assert not before.status.is_terminal, f"I5: a write after the end: {write}"
        if isinstance(answer, Applied) and after is not None and after.status.is_terminal:
            self.ends[write.key] += 1
            assert self.ends[write.key] == 1, "I5: an execution ended twice"
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class World:
    """What survives: the store, the queue, the blobs, the outside, and time."""

    def __init__(self, facts: Any = None, queue: Any = None, blobs: Any = None, **script: list[Any]) -> None:
        self.clock = JumpingClock()
        self.ids = CountedIds()
        self.facts = CheckedFacts(facts or MemoryFacts())
        self.queue = queue or MemoryQueue(self.clock, most_receives=1000)
        self.blobs = blobs or MemoryBlobs()
        self.versions = MemoryVersions()
        self.server = Server({f"/{name}": list(answers) for name, answers in script.items()})
        self.delivered: list[Message] = []
        self.lives = 0

    @property
    def now(self) -> int:
        return to_milliseconds(self.clock.now())

    async def publish(self, text: str) -> Plan:
        document = read_yaml(text, "flow.yaml")
        version, canonical = version_of(document.data)
        plan = make_plan(document.data, catalogue.entries())
        await self.versions.put("main", plan.flow, version, canonical, self.now)
        await self.versions.set_live(Live("main", plan.flow, version, True, self.now, 1))
        return plan

    async def accept(self, plan: Plan, *, keyed: bool = False) -> Start:
        """A start message in the queue: from here on the execution must end, whatever dies."""
        execution = hashed_id("main", plan.flow) if keyed else self.ids.execution(self.clock.now())
        deadline = self.now + int(plan.deadline_seconds * 1000) if plan.deadline_seconds else 0
        birth = Birth(plan.flow, plan.version, "", self.now, "", "hash", deadline, keyed=keyed)
        start = Start("main", execution, birth, self.now, '{"trigger": null, "inputs": {}}')
        await self.queue.send([Send(start)])
        return start

    async def details(self, execution: str) -> Details:
        return await details_of(Life(self).tools, RecordKey("main", execution))

    async def image(self, execution: str) -> Image:
        image = await self.facts.read(RecordKey("main", execution))
        assert image is not None
        return image

    async def heads(self) -> list[Image]:
        return [await self.image(key.execution) for key, _ in await self.facts.unfinished(100)]


@dataclass
class Trap:
    """Counts calls to the world; at one of them the process dies."""

    at: int = 0
    """Which call, from 1; 0: none."""
    after: bool = False
    rng: random.Random | None = None
    """Yields now and then, so that others get in between."""
    count: int = 0
    is_dead: bool = False

    async def call(self, work: Callable[[], Awaitable[Any]]) -> Any:
        if self.rng is not None:
            for _ in range(self.rng.choice((0, 0, 1, 2, 5))):
                await asyncio.sleep(0)
        self.count += 1
        is_last = self.count == self.at
        if self.is_dead or (is_last and not self.after):
            self.is_dead = True
            raise DiedError
        try:
            answer = await work()
        finally:
            if is_last:
                self.is_dead = True
                raise DiedError
        if self.rng is not None:
            for _ in range(self.rng.choice((0, 0, 1, 3))):
                await asyncio.sleep(0)
        return answer


class Trapped:
    """A port whose calls named in `counted` go through the trap."""

    def __init__(self, inner: Any, trap: Trap, counted: tuple[str, ...]) -> None:
        self._inner, self._trap, self._counted = inner, trap, counted

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in self._counted:
            return method

        async def through(*arguments: Any) -> Any:
            return await self._trap.call(lambda: method(*arguments))

        return through


class ServerHttp:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def send(self, request: HttpRequest) -> HttpAnswer:
        await asyncio.sleep(0)
        return self._server.answer(request)


class Life:
    """One process on a world."""

    def __init__(self, world: World, trap: Trap | None = None, *, boot: int = 0, seconds: float = 840.0) -> None:
        self.world, self.trap = world, trap or Trap()
        self.seconds = seconds
        self.tools = Tools(
            clock=world.clock,
            ids=world.ids,
            facts=Trapped(world.facts, self.trap, ("write", "read")),
            queue=Trapped(world.queue, self.trap, ("send",)),
            blobs=Trapped(world.blobs, self.trap, ("put",)),
            http=Trapped(ServerHttp(world.server), self.trap, ("send",)),
            credentials=FixedCredentials(),
            evaluator=HereEvaluator(),
            plans=RememberedPlans(world.versions, catalogue.entries(), world.clock, pointer_age=0),
            build=catalogue.build,
            settings=Settings(boot=boot, invocation_seconds=seconds),
        )
        self.inbox = Trapped(world.queue, self.trap, ("acknowledge",))

    async def work(self, most: int = 400) -> None:
        """Work the queue off, one delivery at a time; time jumps over what is held back."""
        idle = 0
        for _ in range(most):
            received = await self.inbox.receive(1, 0)
            if not received:
                idle += 1
                if idle > 30:
                    return
                self.world.clock.time += timedelta(seconds=60)
                continue
            idle = 0
            await self.one(received[0])
        raise AssertionError("the queue never runs empty")

    async def one(self, received: Any) -> None:
        self.world.delivered.append(received.message)
        delay = await work_off(self.tools, received, Budget(self.world.now + int(self.seconds * 1000)))
        if self.trap.is_dead:
            raise DiedError
        if delay is None:
            await self.inbox.acknowledge([received])
        else:
            await self.inbox.fail(received, delay)

    async def resume_all(self) -> None:
        """As the embedded server does when it starts."""
        left = await self.world.facts.unfinished(1000)
        await self.world.queue.send([Send(Resume(key.tenant, key.execution, epoch)) for key, epoch in left])


async def replay(world: World, boot: int) -> None:
    """L3: every message once more changes nothing, and sends nothing."""
    writes, asked = world.facts.writes, len(world.server.seen)
    life = Life(world, boot=boot)
    for message in list(world.delivered):
        verdict = await deliver(life.tools, message, Budget(world.now + 840_000), is_first=False)
        assert isinstance(verdict, Acknowledge)
    assert (world.facts.writes, len(world.server.seen)) == (writes, asked), "L3: a replay did something"


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)

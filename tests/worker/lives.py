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
from chalicelib.engine.messages import Message, Send, Start
from chalicelib.engine.records import Birth, Image, RecordKey
from chalicelib.engine.writes import Applied
from chalicelib.errors import ConflictError, ExecutionOngoingError, LinkWrongError, NotFoundError, RedriveRefusedError
from chalicelib.flow.listening import listens_of
from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.flow.text import read_yaml
from chalicelib.ports import Details, HttpAnswer, HttpRequest, Link, Live, Signal
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.details import details_of
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Ends
from chalicelib.worker.lanes import lane_of
from chalicelib.worker.listener import work_off
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.sweeper import sweep, take_up
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
    """A store that watches its records: I1, I5, I9 and the count of writes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.ends: Counter[tuple[RecordKey, int]] = Counter()
        self.writes = 0

    async def write(self, write: Any) -> Any:
        before: Image | None = await self.inner.read(write.key)
        answer = await self.inner.write(write)
        after: Image | None = answer.image
        if not isinstance(answer, Applied) or after is None:
            return answer
        self.writes += 1
        if before is not None and before.epoch == after.epoch:
            for name, fact in before.facts.items():
                if isinstance(fact, Done):
                    assert after.facts.get(name) == fact, f"I1: {name} was {fact} and became {after.facts.get(name)}"
            if before.status.is_terminal and write.key.is_head:
                kept = (before.status, before.facts, before.reason, before.output_pack)
                assert (after.status, after.facts, after.reason, after.output_pack) == kept, f"I9: {write}"
        if after.status.is_terminal and (before is None or not before.status.is_terminal):
            self.ends[write.key, after.epoch] += 1
            assert self.ends[write.key, after.epoch] == 1, "I5: an execution ended twice"
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Deed:
    """What somebody does from outside: `answer` a step, `cancel`, `pause`, `resume`, `redrive`.

    It is done as soon as there is an execution (`is_early`), else when nothing else goes on; again until it is done.
    """

    what: str
    step: str = ""
    port: str = ""
    value: Any = None
    is_early: bool = False


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
        self.started: list[str] = []
        self.deeds: list[Deed] = []

    @property
    def now(self) -> int:
        return to_milliseconds(self.clock.now())

    async def publish(self, text: str) -> Plan:
        document = read_yaml(text, "flow.yaml")
        version, canonical = version_of(document.data)
        plan = _PLANS.get(canonical)
        if plan is None:
            plan = _PLANS[canonical] = make_plan(document.data, catalogue.entries())
        await self.versions.put("main", plan.flow, version, canonical, self.now)
        live = Live("main", plan.flow, version, True, self.now, 1, listens=listens_of(plan))
        await self.versions.set_live(live)
        return plan

    async def accept(self, plan: Plan, *, keyed: bool = False) -> Start:
        """A start message in the queue: from here on the execution must end, whatever dies."""
        execution = hashed_id("main", plan.flow) if keyed else self.ids.execution(self.clock.now())
        deadline = self.now + int(plan.deadline_seconds * 1000) if plan.deadline_seconds else 0
        lanes = (lane_of(plan.concurrency.most, "main", plan.flow),) if plan.concurrency else ()
        birth = Birth(plan.flow, plan.version, "", self.now, "", "hash", deadline, keyed=keyed, lanes=lanes)
        start = Start("main", execution, birth, self.now, '{"trigger": null, "inputs": {}}')
        await self.queue.send([Send(start)])
        self.started.append(execution)
        return start

    async def details(self, execution: str) -> Details:
        return await details_of(Life(self).tools, RecordKey("main", execution))

    async def image(self, execution: str) -> Image:
        image = await self.facts.read(RecordKey("main", execution))
        assert image is not None
        return image

    async def heads(self) -> list[Image]:
        return [await self.image(key.execution) for key, _ in await self.facts.unfinished(100)]


_PLANS: dict[str, Plan] = {}


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
    clock: JumpingClock | None = None
    """Stands still while a call is under way."""

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
            answer = await self._timeless(work)
        finally:
            if is_last:
                self.is_dead = True
                raise DiedError
        if self.rng is not None:
            for _ in range(self.rng.choice((0, 0, 1, 3))):
                await asyncio.sleep(0)
        return answer

    async def _timeless(self, work: Callable[[], Awaitable[Any]]) -> Any:
        if self.clock is None:
            return await work()
        self.clock.busy += 1
        try:
            return await work()
        finally:
            self.clock.busy -= 1


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


class Remembering(RememberedPlans):
    """As the worker's own; what any world has understood before is not read once more."""

    async def plan(self, tenant: str, flow: str, version: str) -> Plan:
        text = await self._versions.text(tenant, flow, version)
        return _PLANS.get(text) or await super().plan(tenant, flow, version)


COUNTED = {
    "facts": ("write", "read", "pack", "due", "unfinished"),
    "queue": ("send",),
    "blobs": ("put", "get"),
    "http": ("send",),
    "inbox": ("acknowledge", "fail"),
}
"""The calls to the world at which a process may die."""


class Life:
    """One process on a world."""

    def __init__(self, world: World, trap: Trap | None = None, *, boot: int = 0, seconds: float = 840.0) -> None:
        self.world, self.trap = world, trap or Trap()
        self.trap.clock = world.clock
        self.seconds = seconds
        self.tools = Tools(
            clock=world.clock,
            ids=world.ids,
            facts=Trapped(world.facts, self.trap, COUNTED["facts"]),
            queue=Trapped(world.queue, self.trap, COUNTED["queue"]),
            blobs=Trapped(world.blobs, self.trap, COUNTED["blobs"]),
            http=Trapped(ServerHttp(world.server), self.trap, COUNTED["http"]),
            credentials=FixedCredentials(),
            evaluator=HereEvaluator(),
            plans=Remembering(world.versions, catalogue.entries(), world.clock, pointer_age=0),
            build=catalogue.build,
            settings=Settings(boot=boot, invocation_seconds=seconds, inline_turns=2),
        )
        self.inbox = Trapped(world.queue, self.trap, COUNTED["inbox"])
        self.door = FrontDoor(self.tools, Ends())

    async def work(self, most: int = 600) -> None:
        """Work off what there is, one delivery at a time, until all has ended; time jumps where nothing can go on."""
        idle = 0
        for _ in range(most):
            await self._act(early=True)
            received = await self.inbox.receive(1, 0)
            if received:
                idle = 0
                await self.one(received[0])
                continue
            if await self._act(early=False):
                idle = 0
                continue
            if await self._is_over():
                return
            idle += 1
            assert idle < 200, "nothing moves it any more"
            self.world.clock.time += timedelta(seconds=60)
            await sweep(self.tools)
        raise AssertionError("the queue never runs empty")

    async def _is_over(self) -> bool:
        """Whether everything that was accepted has ended, and whoever waited was told."""
        if self.world.deeds or await self.world.facts.unfinished(1):
            return False
        executions = dict.fromkeys([*self.world.started, *(each.execution for each in self.world.delivered)])
        heads = [await self.world.facts.read(RecordKey("main", each)) for each in executions]
        return all(head is not None and head.status.is_terminal for head in heads)

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
        left = await self.tools.facts.unfinished(1000)
        await take_up(self.tools, [key for key, _ in left])

    async def _act(self, *, early: bool) -> bool:
        """Do the next deed, if its time has come; whether there was one."""
        deeds = self.world.deeds
        if not deeds or deeds[0].is_early != early or not self.world.started:
            return False
        deed, execution = deeds[0], self.world.started[0]
        try:
            match deed.what:
                case "answer":
                    await self.door.signal(Link("main", execution, "", deed.step, ()), Signal(deed.port, deed.value))
                case "cancel":
                    await self.door.cancel("main", execution, "enough")
                case "pause":
                    await self.door.pause("main", execution)
                case "resume":
                    await self.door.resume("main", execution)
                case "redrive":
                    await self.door.redrive("main", execution)
        except NotFoundError:
            return False  # it has not begun: later
        except LinkWrongError:
            return False
        except ExecutionOngoingError:
            if deed.what == "redrive" and (await self.world.image(execution)).epoch == 0:
                return False
        except (ConflictError, RedriveRefusedError):
            pass  # an earlier life has done it, or it is not called for any more
        if self.trap.is_dead:
            raise DiedError
        deeds.pop(0)
        return True


async def replay(world: World, boot: int) -> None:
    """L3: every message once more changes nothing, and sends nothing."""
    writes, asked = world.facts.writes, len(world.server.seen)
    life = Life(world, boot=boot)
    for message in dict.fromkeys(world.delivered):
        verdict = await deliver(life.tools, message, Budget(world.now + 840_000), is_first=False)
        assert isinstance(verdict, Acknowledge)
    assert (world.facts.writes, len(world.server.seen)) == (writes, asked), "L3: a replay did something"


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)

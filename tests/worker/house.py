"""A whole worker on memory adapters, with a clock that jumps: flows are given as text and run to their end."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib import catalogue
from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.adapters.memory.queue import MemoryQueue
from chalicelib.adapters.memory.versions import MemoryVersions
from chalicelib.engine.ids import crockford, ulid
from chalicelib.engine.records import Image, RecordKey
from chalicelib.errors import CredentialMissingError
from chalicelib.flow.check import check, refuse
from chalicelib.flow.listening import listens_of
from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.flow.text import read_yaml
from chalicelib.ports import Details, Entered, HttpAnswer, HttpRequest, Knock, Live
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.links import Links
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.sweeper import sweep
from chalicelib.worker.tools import Settings, Tools


class JumpingClock:
    """Time passes only when somebody sleeps: the clock jumps there once nothing else can run."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
        self.busy = 0
        """How many calls to the world are under way, perhaps in another thread: none of them takes time."""
        self._sleepers: list[tuple[datetime, int]] = []
        self._count = 0

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        entry = (self.time + timedelta(seconds=seconds), self._count)
        self._sleepers.append(entry)
        try:
            for _ in range(20):  # let everything that can run, run
                await asyncio.sleep(0)
            while self.busy or min(self._sleepers) != entry:
                await asyncio.sleep(0)
            self.time = max(self.time, entry[0])
        finally:
            self._sleepers.remove(entry)


class CountedIds:
    def __init__(self) -> None:
        self.count = 0

    def execution(self, now: datetime) -> str:
        self.count += 1
        return ulid(to_milliseconds(now), self.count.to_bytes(10, "big"))

    def token(self) -> str:
        self.count += 1
        return crockford(self.count)


class FixedCredentials:
    def __init__(self, **fields: Mapping[str, str]) -> None:
        self.fields = fields

    async def open(self, tenant: str, name: str, *, flow: str = "") -> Mapping[str, str]:
        found = self.fields.get(name if tenant == "main" else f"{tenant}/{name}")
        if found is None:
            raise CredentialMissingError(f"No credential `{name}`.")
        return found


@dataclass
class ScriptedHttp:
    """Answers by path; keeps what was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    sent: list[HttpRequest] = field(default_factory=list)

    async def send(self, request: HttpRequest) -> HttpAnswer:
        self.sent.append(request)
        path = "/" + request.url.split("://", 1)[1].partition("/")[2].partition("?")[0]
        answer = self.answers.get(path, {"path": path})
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, HttpAnswer):
            return answer
        await asyncio.sleep(0)
        return HttpAnswer(200, (("content-type", "application/json"),), json.dumps(answer).encode())


class House:
    """One deployment in memory."""

    def __init__(
        self, *, facts: Any = None, settings: Settings | None = None, **credentials: Mapping[str, str]
    ) -> None:
        self.clock = JumpingClock()
        self.ids = CountedIds()
        self.facts = facts or MemoryFacts()
        self.queue = MemoryQueue(self.clock)
        self.blobs = MemoryBlobs()
        self.versions = MemoryVersions()
        self.http = ScriptedHttp()
        self.entries = catalogue.entries()
        self.plans = RememberedPlans(self.versions, self.entries, self.clock, pointer_age=0)
        self.ends = Ends()
        self.background = Background()
        self.tools = Tools(
            clock=self.clock,
            ids=self.ids,
            facts=self.facts,
            queue=self.queue,
            blobs=self.blobs,
            http=self.http,
            credentials=FixedCredentials(**credentials),
            evaluator=HereEvaluator(),
            plans=self.plans,
            build=catalogue.build,
            settings=settings or Settings(),
            announce=self.ends.announce,
            respond=self.ends.respond,
            links=Links(_link_key, "https://penstock.example"),
        )
        self.door = FrontDoor(self.tools, self.ends)

    async def publish(self, text: str) -> Plan:
        document = read_yaml(text, "flow.yaml")
        report = check(document, self.entries)
        assert not report.problems, "\n".join(map(str, report.problems))
        refuse(report, "flow.yaml")
        version, canonical = version_of(document.data)
        plan = make_plan(document.data, self.entries)
        now = to_milliseconds(self.clock.now())
        await self.versions.put("main", plan.flow, version, canonical, now)
        live = await self.versions.live("main", plan.flow)
        rev = live.rev + 1 if live else 1
        live = Live("main", plan.flow, version, True, now, rev, listens=listens_of(plan))
        assert await self.versions.set_live(live)
        return plan

    async def enter(
        self, text: str, inputs: Mapping[str, Any] | None = None, respond: str = "result", **more: Any
    ) -> Entered:
        plan = await self.publish(text)
        now = to_milliseconds(self.clock.now())
        trigger = None
        entered = await self.door.enter(Knock("main", plan, trigger, None, inputs or {}, respond, now, **more))
        assert isinstance(entered, Entered)
        return entered

    async def drain(self, most: int = 200, *, sweeps: bool = True, idle_minutes: int = 90) -> int:
        """Work the queue off, one delivery at a time, letting the clock jump over delays; sweep every idle minute."""
        worked = 0
        idle = 0
        while worked < most and idle < idle_minutes:
            received = await self.queue.receive(1, 0)
            if not received:
                idle += 1
                self.clock.time += timedelta(seconds=60)
                if sweeps:
                    await sweep(self.tools)
                continue
            idle = 0
            for each in received:
                assert each.message is not None
                budget = Budget(to_milliseconds(self.clock.now()) + 840_000)
                verdict = await deliver(self.tools, each.message, budget, is_first=each.count == 1)
                worked += 1
                if isinstance(verdict, Acknowledge):
                    await self.queue.acknowledge([each])
                else:
                    await self.queue.fail(each, verdict.delay_seconds)
        return worked

    async def image(self, execution: str) -> Image:
        image = await self.facts.read(RecordKey("main", execution))
        assert image is not None
        return image

    async def details(self, execution: str) -> Details:
        return await self.door.details("main", execution)


async def _link_key() -> bytes:
    return b"k" * 32


def budget_of(house, seconds=840):
    return Budget(to_milliseconds(house.clock.now()) + seconds * 1000)


def statuses(details):
    return {step.id: step.status for step in details.steps}


def urls(house):
    return [each.url.removeprefix("https://api.example") for each in house.http.sent]


class Watched:
    """A store where a test can step in before a write."""

    def __init__(self, before):
        self.inner, self.before, self.count = MemoryFacts(), before, 0

    async def write(self, write):
        self.count += 1
        await self.before(self, write)
        return await self.inner.write(write)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)

"""Schedules without a worker: a door that makes heads and nothing else, and a store that gives way to others."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

from chalicelib import catalogue
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.engine.ids import hashed_id
from chalicelib.engine.records import Birth, Image, RecordKey
from chalicelib.engine.ticking import Memory, memory_of, schedule_key
from chalicelib.engine.writes import Commit, Finish, Status
from chalicelib.errors import NotFoundError
from chalicelib.flow.check import check
from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan
from chalicelib.flow.text import read_yaml
from chalicelib.ports import Entered, Knock, Live
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.ticks import Came, Ticks


def moment(text: str) -> datetime:
    """A time on 20 November 2026, or a whole one; in UTC."""
    whole = text if "T" in text else f"2026-11-20T{text}"
    return datetime.fromisoformat(whole).replace(tzinfo=UTC)


def milliseconds(text: str) -> int:
    return to_milliseconds(moment(text))


class SetClock:
    """It is what the test says."""

    def __init__(self, time: str = "06:00") -> None:
        self.time = moment(time)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Giving:
    """A store that lets others go first, as a chance of its own decides, and that dies when told to."""

    def __init__(self, seed: int | None = None) -> None:
        self.inner = MemoryFacts()
        self._chance = random.Random(seed) if seed is not None else None

    async def give_way(self) -> None:
        for _ in range(self._chance.randrange(6) if self._chance is not None else 0):
            await asyncio.sleep(0)

    async def read(self, key):
        await self.give_way()
        return await self.inner.read(key)

    async def write(self, write):
        await self.give_way()
        answer = await self.inner.write(write)
        await self.give_way()
        return answer


class Porch:
    """Plans as published, a door that makes a head for each knock, and who knocked for which moment.

    `is_queue`: the head is not made before `take_in` is called, as where a start goes through a queue.
    """

    def __init__(self, *, seed: int | None = None, is_queue: bool = False) -> None:
        self.clock = SetClock()
        self.facts = Giving(seed)
        self.published: dict[str, tuple[Live, Plan]] = {}
        self.knocks: list[Knock] = []
        self.refusals: list[Exception] = []
        self.is_queue = is_queue
        self.left: list[Commit] = []
        self.overlaps = 0
        self.ticks = Ticks(self, self, self.facts, self.clock)

    # Plans

    async def live(self, tenant: str, flow: str) -> Live | None:
        return self.published[flow][0] if flow in self.published else None

    async def plan(self, tenant: str, flow: str, version: str) -> Plan:
        live, plan = self.published[flow]
        if live.version != version:
            raise NotFoundError
        return plan

    def forget(self, tenant: str, flow: str) -> None:
        pass

    def publish(self, schedule: str, *, flow: str = "digest", enabled: bool = True, more: str = "") -> Live:
        """Publish a version with this trigger now: `{every: 5m}, overlap: skip`."""
        plan = plan_of(flow, schedule, more)
        known = self.published[flow][0] if flow in self.published else None
        now = to_milliseconds(self.clock.now())
        live = Live("main", flow, plan.version, enabled, now, known.rev + 1 if known else 1)
        self.published[flow] = (live, plan)
        return live

    # Door

    async def enter(self, knock: Knock) -> Entered:
        await self.facts.give_way()
        assert knock.trigger is not None
        assert knock.key is not None
        self.knocks.append(knock)
        if self.refusals:
            raise self.refusals.pop(0)
        execution = hashed_id(knock.tenant, knock.plan.flow, knock.trigger.id, knock.who, knock.key)
        birth = Birth(knock.plan.flow, knock.plan.version, knock.trigger.id, knock.received, "", "", keyed=True)
        commit = Commit(RecordKey(knock.tenant, execution), 0, knock.received, birth=birth)
        if self.is_queue:
            known = await self.facts.read(commit.key)
            if known is None:
                self.left.append(commit)
            return Entered(execution, known is None, known)
        return Entered(execution, is_new=True, image=await self._make(commit))

    async def _make(self, commit: Commit) -> Image:
        running = [image for image in self.heads() if not image.status.is_terminal and image.key != commit.key]
        self.overlaps += bool(running)
        answer = await self.facts.inner.write(commit)
        assert answer.image is not None
        return answer.image

    async def take_in(self) -> None:
        """The queue is worked off."""
        while self.left:
            await self._make(self.left.pop(0))

    async def end(self, execution: str) -> None:
        """It is over."""
        key = RecordKey("main", execution)
        image = await self.facts.read(key)
        assert image is not None
        await self.facts.inner.write(Commit(key, image.epoch, 0, finish=Finish(Status.SUCCEEDED)))

    async def end_all(self) -> None:
        for image in self.heads():
            if not image.status.is_terminal:
                await self.end(image.key.execution)

    # What a test asks

    def heads(self) -> list[Image]:
        return [image for key, image in self.facts.inner._images.items() if key.is_head]

    def started(self) -> list[str]:
        """The moments that have a head, in the order in which those were made."""
        known = {image.key.execution for image in self.heads()}
        names: dict[str, str] = {}
        for knock in self.knocks:
            assert knock.document is not None
            execution = hashed_id(knock.tenant, knock.plan.flow, "clock", "", str(knock.document["at"]))
            names[execution] = str(knock.document["at"])[11:19]
        return [names[image.key.execution] for image in self.heads() if image.key.execution in known]

    async def memory(self) -> Memory:
        return memory_of(await self.facts.read(schedule_key("main", "digest", "clock")))

    async def tick(self, at: str, now: str = "", span: int = 1) -> Came:
        """A tick for this moment, at this time (a second later, if not said otherwise)."""
        self.clock.time = moment(now) if now else max(self.clock.time, moment(at) + timedelta(seconds=1))
        return await self.ticks.come("main", "digest", "clock", milliseconds(at), span)


def plan_of(flow: str, schedule: str, more: str = "") -> Plan:
    """A plan whose trigger `clock` is this schedule; `more` are further lines of the flow."""
    text = (
        f"flow: {flow}\n{more}\ntriggers:\n  clock: {{uses: schedule, with: {schedule}}}\nsteps: {{a: {{uses: set}}}}\n"
    )
    document = read_yaml(text, f"{flow}.yaml")
    assert check(document, catalogue.entries(), build=catalogue.build).problems == (), text
    return make_plan(document.data, catalogue.entries())

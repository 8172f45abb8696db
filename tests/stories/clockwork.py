"""Schedules in both worlds, on a clock moved by hand: the embedded server's heap, and EventBridge Scheduler's crons.

Everything else is a whole deployment: the API that publishes, the door, the worker, a queue. What AWS's half planned is
read back from the local AWS, and fired as Scheduler says that it fires: some time within the minute, and twice.
"""

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from chalicelib.adapters.aws.client import Endpoints
from chalicelib.adapters.aws.names import Names
from chalicelib.adapters.aws.schedules import PLANNED, SchedulerSchedules
from chalicelib.adapters.http import client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.api.app import Api
from chalicelib.api.auth import AdminKeys
from chalicelib.api.tools import Settings as ApiSettings
from chalicelib.api.tools import Tools as ApiTools
from chalicelib.cloud.messages import read_tick
from chalicelib.local.schedules import TimerHeap
from chalicelib.ports import Listing
from chalicelib.signing.forms import AwsKeys
from chalicelib.worker.budget import Budget
from chalicelib.worker.listener import work_off
from chalicelib.worker.minutes import minute_came, replaced
from chalicelib.worker.ticks import Ticks
from tests.aws_server import REGION, boto, fresh_name
from tests.scheduler import fires_at
from tests.stories.place import ADMIN, MemoryStore, Place

STEP, LONG_STEP = timedelta(seconds=5), timedelta(minutes=1)
"""How closely time is followed; over hours, less so."""

LATE = timedelta(seconds=20)
"""How far into a minute Scheduler takes its time, here."""


class HandClock:
    """Time passes only when a test says so."""

    def __init__(self, time):
        self.time = time
        self._sleepers = []

    def now(self):
        return self.time

    async def sleep(self, seconds):
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + timedelta(seconds=seconds), future))
        await future

    async def pass_on(self, step):
        """Let so much time pass, and everybody who wakes do what they do."""
        self.time += step
        for due, future in self._sleepers:
            if due <= self.time and not future.done():
                future.set_result(None)
        self._sleepers = [each for each in self._sleepers if not each[1].done()]
        await settle()


async def settle():
    for _ in range(12):
        await asyncio.sleep(0)


class World(Place):
    """A deployment whose schedules fire; `go_down` and `come_up` are its outages."""

    def __init__(self, clock, *, is_embedded):
        super().__init__(clock, MemoryStore(clock), is_embedded=is_embedded)
        self.api = Api(
            ApiTools(
                door=self.door,
                plans=self.plans,
                versions=self.store.versions,
                facts=self.store.facts,
                blobs=self.store.blobs,
                credentials=self.tools.credentials,
                documents=self.store.documents,
                clock=clock,
                ids=self.ids,
                keys=AdminKeys([hashlib.sha256(ADMIN.encode()).hexdigest()]),
                settings=ApiSettings(base_url="https://penstock.example"),
                on_published=self.published,
            )
        )
        self._working = set()

    async def published(self, live, plan):
        """A flow's pointer was written."""

    async def each_step(self):
        """What this world does as time passes."""

    async def until(self, time):
        """Let time pass, fire what is due, and work the queue off."""
        step = STEP if time - self.clock.time < timedelta(hours=2) else LONG_STEP
        while self.clock.time < time:
            await self.clock.pass_on(min(step, time - self.clock.time))
            await self.each_step()
            for received in await self.store.queue.receive(10, 0):
                task = asyncio.ensure_future(self._work(received))
                self._working.add(task)
                task.add_done_callback(self._working.discard)
            await settle()

    async def _work(self, received):
        delay = await work_off(self.tools, received, Budget(self.now + 290_000))
        if delay is None:
            await self.store.queue.acknowledge([received])
        else:
            await self.store.queue.fail(received, delay)

    async def close(self):
        for task in list(self._working):
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    async def ask(self, action, flow):
        status, told = await self.rest("POST", f"flows/{flow}/{action}")
        assert status == 200, told

    async def started(self):
        """What the executions there are were started for: planned moment, the one before, how it is, when it ended."""
        page = await self.store.facts.page(Listing("main", limit=1000))
        found = []
        for each in page.items:
            details = await self.door.details("main", each.id)
            trigger = details.trigger
            found.append((trigger["at"], trigger["previous"], each.status.word, each.ended))
        return sorted(found)


class EmbeddedWorld(World):
    """The server's heap; an outage is the server's."""

    def __init__(self, clock):
        super().__init__(clock, is_embedded=True)
        self._heap = self._firing = None

    async def begin(self):
        await self.come_up()

    async def published(self, live, plan):
        self.plans.forget(live.tenant, live.flow)
        if self._heap is not None:
            await self._heap.replace(live, plan)

    async def come_up(self):
        self._heap = TimerHeap(Ticks(self.door, self.plans, self.store.facts, self.clock), self.clock)
        for live in await self.store.versions.flows("main"):
            await self._heap.replace(live, await self.plans.plan(live.tenant, live.flow, live.version))
        self._firing = asyncio.create_task(self._heap.fire())
        await settle()

    async def go_down(self):
        assert not self._firing.done()
        self._firing.cancel()
        await asyncio.gather(self._firing, return_exceptions=True)
        self._heap = None

    async def close(self):
        with suppress(AssertionError):
            await self.go_down()
        await self.background.stop()
        await super().close()


class AwsWorld(World):
    """EventBridge Scheduler's crons; an outage is Scheduler's, which hands everything over once it is back."""

    def __init__(self, clock, url):
        super().__init__(clock, is_embedded=False)
        self._boto = boto(url, "scheduler")
        names = Names.of(fresh_name("s").replace("-", ""), "123456789012", REGION)
        self._group = names.schedule_group
        self._boto.create_schedule_group(Name=self._group)
        self._http = client_for_engine(EgressPolicy.for_engine([url]))
        keys = AwsKeys("testing", "testing")
        self._schedules = SchedulerSchedules(self._http, keys, names, Endpoints(url), clock)
        self._rules = []
        self._minute = clock.time
        self._due = []
        self._is_down = False

    async def begin(self):
        self._minute = self.clock.time.replace(second=0)

    async def published(self, live, plan):
        await self._schedules.replace(live, plan)
        await replaced(self.tools, live, plan)
        names = [each["Name"] for each in self._boto.list_schedules(GroupName=self._group)["Schedules"]]
        self._rules = [self._boto.get_schedule(GroupName=self._group, Name=name) for name in names]

    async def each_step(self):
        while self._minute + timedelta(minutes=1) <= self.clock.time:
            self._minute += timedelta(minutes=1)
            for rule in self._rules:
                if fires_at(rule["ScheduleExpression"], rule["ScheduleExpressionTimezone"], self._minute):
                    text = f"{self._minute:%Y-%m-%dT%H:%M:%SZ}"
                    self._due += [(self._minute + LATE, rule["Target"]["Input"].replace(PLANNED, text))] * 2
        if self._is_down:
            return
        ready = [event for due, event in self._due if due <= self.clock.time]
        self._due = [each for each in self._due if each[0] > self.clock.time]
        # After an outage the last may come first.
        await asyncio.gather(*(self._tick(event) for event in reversed(ready)))

    async def _tick(self, event):
        await minute_came(self.tools, *read_tick(json.loads(event)))

    async def come_up(self):
        self._is_down = False

    async def go_down(self):
        self._is_down = True

    async def close(self):
        await self._http.close()
        await super().close()


@asynccontextmanager
async def world_of(kind, start, url):
    """One of the two worlds, on a clock that stands at `start`."""
    clock = HandClock(datetime.fromisoformat(start).replace(tzinfo=UTC))
    world = EmbeddedWorld(clock) if kind == "embedded" else AwsWorld(clock, url)
    await world.begin()
    try:
        yield world
    finally:
        await world.close()

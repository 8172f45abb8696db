"""Where everything meets: the ports, what fulfils them, and who is handed them. The embedded half.

`wiring_aws` is the other half. Nothing else in the house knows both a room and its adapter.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from chalicelib import catalogue
from chalicelib.adapters.clock import RandomIds, SystemClock
from chalicelib.adapters.environment import EnvironmentCredentials, stage_vars_from
from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.http import HttpClient, client_for_flows
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.adapters.tap import Tap
from chalicelib.api.app import Api
from chalicelib.api.auth import AdminKeys
from chalicelib.api.tools import Settings as ApiSettings
from chalicelib.api.tools import Tools as ApiTools
from chalicelib.engine.messages import Resume, Send
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports import Live, Schedules
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.listener import Listener
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.tools import Settings, Tools

log = logging.getLogger(__name__)

MOST_RESUMED = 100_000


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """What the embedded server may be told. Nothing here is a flow's to decide."""

    store: Path
    base_url: str
    environment: Mapping[str, str]
    """Where credentials are read from, and this stage's `vars`."""
    allow_private: tuple[str, ...] = ()
    """Networks beyond the public ones that flows may call, such as `127.0.0.1/32`."""
    keys: tuple[str, ...] = ()
    """SHA-256 hashes, in hexadecimal, of the admin keys."""
    stage_vars: Mapping[str, Json] = field(default_factory=dict[str, Json])
    limit_bytes: int = 1_000_000
    wait_seconds: float = 25.0
    concurrency: int = 256
    """How many queued messages are worked off at once."""
    step_by_step: bool = False
    """Record each step as soon as it is done, whatever a flow's `durability` says: for whoever watches."""


class StepByStepPlans(RememberedPlans):
    """Plans whose every step is recorded by itself: more writes than the author asked for, never fewer."""

    async def plan(self, tenant: str, flow: str, version: str) -> Plan:
        """The plan of a version, with `durability: every`."""
        return replace(await super().plan(tenant, flow, version), durability="every")


class Embedded:
    """One deployment in one process: SQLite, a queue in it, everything else the same as anywhere."""

    def __init__(self, settings: EmbeddedSettings, store: SqliteStore) -> None:
        self.settings = settings
        self.store = store
        self.clock = SystemClock()
        self.ids = RandomIds()
        self.http: HttpClient = client_for_flows(EgressPolicy(allow=settings.allow_private))
        self.credentials = EnvironmentCredentials(settings.environment)
        self.ends = Ends()
        self.background = Background(settings.concurrency)
        plans = StepByStepPlans if settings.step_by_step else RememberedPlans
        self.plans = plans(store.versions, catalogue.entries(), self.clock, pointer_age=1_000)
        self.tools = Tools(
            clock=self.clock,
            ids=self.ids,
            facts=store.facts,
            queue=store.queue,
            blobs=store.blobs,
            http=self.http,
            credentials=self.credentials,
            evaluator=HereEvaluator(),
            plans=self.plans,
            build=catalogue.build,
            settings=Settings(boot=store.boot, base_url=settings.base_url),
            announce=self.ends.announce,
            respond=self.ends.respond,
        )
        self.door = FrontDoor(self.tools, self.ends, self.background)
        self.schedules: Schedules | None = None
        self.api = Api(
            ApiTools(
                door=self.door,
                plans=self.plans,
                versions=store.versions,
                facts=store.facts,
                blobs=store.blobs,
                credentials=self.credentials,
                clock=self.clock,
                ids=self.ids,
                keys=AdminKeys(settings.keys),
                settings=ApiSettings(
                    base_url=settings.base_url,
                    limit_bytes=settings.limit_bytes,
                    wait_seconds=settings.wait_seconds,
                    stage_vars=settings.stage_vars or stage_vars_from(settings.environment),
                ),
                on_published=self._published,
            )
        )
        self._tap = Tap(store.queue)
        self._listener = Listener(self.tools, self._tap, concurrency=settings.concurrency)
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, settings: EmbeddedSettings) -> "Embedded":
        """Open the store and put the house together; nothing runs before `start`.

        Raises SettingError where another process holds the store.
        """
        store = await SqliteStore.open(settings.store, SystemClock())
        try:
            return cls(settings, store)
        except BaseException:
            await store.close()
            raise

    async def start(self) -> int:
        """Take up what an earlier life left unfinished, and begin to listen; returns how many that were."""
        left = await self.store.facts.unfinished(MOST_RESUMED)
        sends = [Send(Resume(key.tenant, key.execution, epoch)) for key, epoch in left]
        if sends:
            await self.store.queue.send(sends)
        self._tasks.append(asyncio.get_running_loop().create_task(self._listen(), name="queue"))
        return len(sends)

    async def _listen(self) -> None:
        """Listen for ever: a queue that cannot be read for a moment must not end it."""
        while True:
            try:
                await self._listener.listen()
            except Exception:  # the server would go on accepting what nobody works off
                log.exception("The queue cannot be listened to; it will be tried again.")
                await self.clock.sleep(1)

    async def drain(self, seconds: float) -> bool:
        """Take no more messages, and give what runs this long to end; whether it did."""
        try:
            async with asyncio.timeout(seconds):
                await self._tap.shut()
                while self.background.tasks:
                    await asyncio.wait(set(self.background.tasks))
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop listening, let what runs be, and close the store: whatever is not recorded will be taken up again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.background.stop()
        await self.http.close()
        await self.store.close()

    async def _published(self, live: Live, plan: Plan) -> None:
        self.plans.forget(live.tenant, live.flow)
        if self.schedules is not None:
            await self.schedules.replace(live, plan)

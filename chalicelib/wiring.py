"""Where everything meets: the ports, what fulfils them, and who is handed them. The embedded half.

`wiring_aws` is the other half. Nothing else in the house knows both a room and its adapter.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from chalicelib import catalogue
from chalicelib.adapters.clock import RandomIds, SystemClock
from chalicelib.adapters.egress import policy_for_flows
from chalicelib.adapters.environment import EnvironmentCredentials, stage_vars_from
from chalicelib.adapters.expressions_apart import ApartEvaluator
from chalicelib.adapters.http import HttpClient, client_for_flows
from chalicelib.adapters.machine_code import MachineCode
from chalicelib.adapters.memory.limits import MemoryLimits
from chalicelib.adapters.oauth_consents import StoredConsents
from chalicelib.adapters.oauth_late import LateRenewal
from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.adapters.sqlite.glance import GlancedDocuments
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.adapters.tap import Tap
from chalicelib.adapters.vault import VaultCredentials
from chalicelib.adapters.vault_admin import VaultAdmin
from chalicelib.adapters.vault_key_file import NAME as VAULT_KEY
from chalicelib.adapters.vault_key_file import VaultKeyFile
from chalicelib.api.app import Api
from chalicelib.api.audit_log import AuditLog
from chalicelib.api.auth import AdminKeys
from chalicelib.api.gate import gate_of
from chalicelib.api.refusal_tally import RefusalTally
from chalicelib.api.sender_hosts import SenderHosts
from chalicelib.api.tools import Settings as ApiSettings
from chalicelib.api.tools import Tools as ApiTools
from chalicelib.api.watch import watch_from
from chalicelib.errors import PenstockError
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports import Live, Schedules
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.burial import bury
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.links import Links
from chalicelib.worker.listener import Listener
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.plugins import InstalledPlugins
from chalicelib.worker.sweeper import sweep, take_up
from chalicelib.worker.tools import Settings, Tools

log = logging.getLogger(__name__)

MOST_RESUMED = 100_000
MOST_SWEPT = 1_000
MOST_BURIED = 10
SWEEP_SECONDS = 1.0
COMPILED = "plugins"
"""The folder of compiled plugins, beside the store."""
MOST_FORGOTTEN = 64
BREATH_SECONDS = 0.05
FORGET_SECONDS = 30.0
KEPT_SECONDS = 86_400
"""How long a dead letter that is no message of ours is left alone before the log tells of it again."""


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """What the embedded server may be told. Nothing here is a flow's to decide."""

    store: Path
    base_url: str
    environment: Mapping[str, str]
    """Where credentials are read from that the vault does not hold, and this stage's `vars`."""
    allow_private: tuple[str, ...] = ()
    """Networks beyond the public ones that flows may call, such as `127.0.0.1/32`."""
    only_hosts: tuple[str, ...] = ()
    """The only hosts that flows may call; empty: as `PENSTOCK_ONLY_HOSTS` in the environment says, or any."""
    listens: str = ""
    """The URL it is reached at besides `base_url`: flows may call neither, unless `PENSTOCK_ALLOW_OWN` is set."""
    keys: tuple[str, ...] = ()
    """SHA-256 hashes, in hexadecimal, of the admin keys."""
    stage_vars: Mapping[str, Json] = field(default_factory=dict[str, Json])
    limit_bytes: int = 1_000_000
    wait_seconds: float = 25.0
    concurrency: int = 256
    """How many queued messages are worked off at once."""
    link_key: Callable[[], Awaitable[bytes]] | None = None
    """Fetches the key that resume links are made with; None: nothing can be answered by a link."""
    vault_store: Path | None = None
    """The store whose credentials are opened, and not changed; None: those of `store`."""
    step_by_step: bool = False
    """Record each step as soon as it is done, whatever a flow's `durability` says: for whoever watches."""


def vault_key_file(store: Path, environment: Mapping[str, str]) -> Path:
    """Where the vault's master keys lie: where `PENSTOCK_VAULT_KEY_FILE` says, else beside the store."""
    named = environment.get("PENSTOCK_VAULT_KEY_FILE", "")
    return Path(named) if named else store.parent / VAULT_KEY


def glanced_vault(store: Path, environment: Mapping[str, str]) -> VaultCredentials:
    """What can be opened of a store that another process may be working on."""
    key_file = VaultKeyFile(vault_key_file(store, environment))
    return VaultCredentials(
        GlancedDocuments(store), lambda: key_file, EnvironmentCredentials(environment), SystemClock()
    )


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
        policy = policy_for_flows(
            settings.environment,
            (settings.base_url, settings.listens),
            allow=settings.allow_private,
            only_hosts=settings.only_hosts,
        )
        self.http: HttpClient = client_for_flows(policy)
        vault_store = settings.vault_store or settings.store
        key_file = VaultKeyFile(vault_key_file(vault_store, settings.environment))
        of_environment = EnvironmentCredentials(settings.environment)
        self.credentials = (
            VaultCredentials(store.documents, lambda: key_file, of_environment, self.clock)
            if settings.vault_store is None
            else glanced_vault(vault_store, settings.environment)
        )
        self.vault = VaultAdmin(self.credentials, self.http, renew=key_file.renew)
        self.credentials.renew = LateRenewal(self.credentials, self.http, self.ids)
        consents = StoredConsents(
            *(self.vault, self.credentials.documents, self.http, self.clock),
            base_url=settings.base_url,
            random=os.urandom,
        )
        self.evaluator = ApartEvaluator()
        self.ends = Ends()
        self.background = Background(settings.concurrency)
        self.documents = store.documents
        self.sandbox = ProcessSandbox(
            MachineCode(settings.store.parent / COMPILED, settings.link_key) if settings.link_key is not None else None
        )
        self.plugins = InstalledPlugins(self.documents, store.blobs, self.sandbox, self.http)
        plans = StepByStepPlans if settings.step_by_step else RememberedPlans
        self.plans = plans(store.versions, catalogue.entries(), self.clock, pointer_age=1_000, plugins=self.plugins)
        self.tools = Tools(
            clock=self.clock,
            ids=self.ids,
            facts=store.facts,
            queue=store.queue,
            blobs=store.blobs,
            http=self.http,
            credentials=self.credentials,
            evaluator=self.evaluator,
            plans=self.plans,
            build=catalogue.build,
            settings=Settings(boot=store.boot, base_url=settings.base_url),
            announce=self.ends.announce,
            respond=self.ends.respond,
            links=Links(settings.link_key, settings.base_url) if settings.link_key is not None else None,
            plugins=self.plugins,
            sandbox=self.sandbox,
        )
        self.door = FrontDoor(self.tools, self.ends, self.background)
        self.schedules: Schedules | None = None
        self.refusals = RefusalTally(store.refusals, self.clock)
        watch = watch_from(settings.environment)
        self.audit = AuditLog(store.documents, self.clock, self.ids, days=watch.audit_days)
        limits = MemoryLimits(self.clock)  # this process is the whole deployment
        self.api = Api(
            ApiTools(
                door=self.door,
                plans=self.plans,
                versions=store.versions,
                facts=store.facts,
                blobs=store.blobs,
                credentials=self.credentials,
                documents=store.documents,
                clock=self.clock,
                ids=self.ids,
                keys=gate_of(AdminKeys(settings.keys), store.documents, settings.environment, self.http, self.clock),
                settings=ApiSettings(
                    base_url=settings.base_url,
                    limit_bytes=settings.limit_bytes,
                    wait_seconds=settings.wait_seconds,
                    stage_vars=settings.stage_vars or stage_vars_from(settings.environment),
                    watch=watch,
                ),
                sender_hosts=SenderHosts(self.http, self.clock),
                refusals=self.refusals,
                audit=self.audit,
                limits=limits,
                peer_limits=limits,
                vault=lambda: self.vault,
                consents=lambda: consents,
                plugins=self.plugins,
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
        resumed = await take_up(self.tools, [key for key, _ in left])
        works = {"queue": self._listen, "sweeper": self._sweep, "dead letters": self._bury, "retention": self._forget}
        for name, work in works.items():
            self._tasks.append(asyncio.get_running_loop().create_task(self._for_ever(work), name=name))
        return resumed

    async def _for_ever(self, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever it meets, it begins again."""
        while True:
            try:
                await work()
            except Exception:  # nobody else would work off what the server goes on accepting
                log.exception("The queue or the store cannot be asked; it will be tried again.")
                await self.clock.sleep(1)

    async def _listen(self) -> None:
        await self._listener.listen()

    async def _sweep(self) -> None:
        """Look at what is due; with a short breath, so that long waits end on time."""
        await self.refusals.flush()
        await self.audit.flush()
        if await sweep(self.tools, MOST_SWEPT) < MOST_SWEPT:
            await self.clock.sleep(SWEEP_SECONDS)

    async def _forget(self) -> None:
        """Remove what has been kept for as long as its flow says, a few at a time, so that nobody waits for it."""
        for store in (self.store.facts, self.store.documents):
            while await store.forget(int(self.clock.now().timestamp()), MOST_FORGOTTEN) == MOST_FORGOTTEN:
                await self.clock.sleep(BREATH_SECONDS)
        await self.clock.sleep(FORGET_SECONDS)

    async def _bury(self) -> None:
        """Every message that was delivered too often becomes a visible failure."""
        dead = self.store.queue.dead
        for each in await dead.receive(MOST_BURIED, 20):
            budget = Budget(to_milliseconds(self.clock.now()) + int(self.tools.settings.invocation_seconds * 1000))
            try:
                is_done = await bury(self.tools, each.message, each.body, budget)
            except PenstockError as error:
                log.warning("A dead letter could not be dealt with, and will be tried again: %s", error.detail)
                await dead.fail(each, 60)
                continue
            if is_done:
                await dead.acknowledge([each])
            else:
                await dead.fail(each, KEPT_SECONDS)

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
        await self.refusals.flush(is_last=True)
        await self.audit.flush(is_last=True)
        await self.evaluator.close()
        await self.sandbox.close()
        await self.http.close()
        await self.store.close()

    async def _published(self, live: Live, plan: Plan) -> None:
        self.plans.forget(live.tenant, live.flow)
        if self.schedules is not None:
            await self.schedules.replace(live, plan)

"""A whole deployment with nothing faked but the outside and time: the API, the door, the worker, and a real store."""

import asyncio
import json
from base64 import b64encode
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from chalicelib import catalogue
from chalicelib.adapters.environment import EnvironmentCredentials
from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.adapters.memory.queue import MemoryQueue
from chalicelib.adapters.memory.versions import MemoryVersions
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.adapters.vault import VaultCredentials
from chalicelib.adapters.vault_admin import VaultAdmin
from chalicelib.api.app import Api
from chalicelib.api.audit_log import AuditLog
from chalicelib.api.auth import AdminKeys, key_hash
from chalicelib.api.gate import Gate
from chalicelib.api.request import Answer, Request, read_query
from chalicelib.api.tools import Settings as ApiSettings
from chalicelib.api.tools import Tools as ApiTools
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.links import Links
from chalicelib.worker.listener import work_off
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.sweeper import sweep
from chalicelib.worker.tools import Settings, Tools
from tests.vault.keys import MemoryKeys
from tests.worker.house import CountedIds, JumpingClock, ScriptedHttp

ADMIN = "an admin key for the stories"
HOOK_KEY = b"a secret of thirty-two bytes...."
HOOK_SECRET = "whsec_" + b64encode(HOOK_KEY).decode()
CANARY = "sk-canary/0123456789+abc=="


async def _link_key() -> bytes:
    return b"k" * 32


class Place:
    """One deployment, embedded (with a background) or as on Lambda (without)."""

    def __init__(self, clock: JumpingClock, store: Any, *, is_embedded: bool) -> None:
        self.clock, self.store = clock, store
        self.http = ScriptedHttp()
        self.ids = CountedIds()
        self.ends = Ends()
        self.background = Background() if is_embedded else None
        of_environment = {
            "hook": {"secret": HOOK_SECRET},
            "api": {"kind": "bearer", "token": CANARY},
            "person": {"kind": "basic", "username": "ann", "password": CANARY},
            "own_api": {"kind": "bearer", "token": ADMIN},
        }
        environment = {f"PENSTOCK_CREDENTIAL_{name.upper()}": json.dumps(v) for name, v in of_environment.items()}
        self.keys = MemoryKeys()
        credentials = VaultCredentials(store.documents, lambda: self.keys, EnvironmentCredentials(environment), clock)
        self.vault = VaultAdmin(credentials, self.http, renew=self.keys.renew)
        self.plans = RememberedPlans(store.versions, catalogue.entries(), clock, pointer_age=0)
        self.tools = Tools(
            clock=clock,
            ids=self.ids,
            facts=store.facts,
            queue=store.queue,
            blobs=store.blobs,
            http=self.http,
            credentials=credentials,
            evaluator=HereEvaluator(),
            plans=self.plans,
            build=catalogue.build,
            settings=Settings(boot=getattr(store, "boot", 0), base_url="https://penstock.example"),
            announce=self.ends.announce,
            respond=self.ends.respond,
            links=Links(_link_key, "https://penstock.example"),
        )
        self.door = FrontDoor(self.tools, self.ends, self.background)
        self.api = Api(
            ApiTools(
                door=self.door,
                plans=self.plans,
                versions=store.versions,
                facts=store.facts,
                blobs=store.blobs,
                credentials=credentials,
                documents=store.documents,
                vault=lambda: self.vault,
                clock=clock,
                ids=self.ids,
                keys=Gate(AdminKeys([key_hash(ADMIN)]), store.documents, clock),
                settings=ApiSettings(base_url="https://penstock.example", wait_seconds=25.0),
                audit=AuditLog(store.documents, clock, CountedIds(), days=365),
            )
        )

    @property
    def now(self) -> int:
        return to_milliseconds(self.clock.now())

    async def send(self, method: str, target: str, body: Any = b"", headers: dict[str, str] | None = None) -> Answer:
        path, _, query = target.partition("?")
        given = {name.lower(): value for name, value in (headers or {}).items()}
        if isinstance(body, dict | list):
            given.setdefault("content-type", "application/json")
            body = json.dumps(body).encode()
        return await self.api(Request(method, path, read_query(query), given, body, self.now, "", (), query))

    async def rest(
        self, method: str, target: str, body: Any = b"", content_type: str = "", *, key: str = ADMIN
    ) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {key}"}
        if content_type:
            headers["content-type"] = content_type
        answer = await self.send(method, f"/api/v1/{target}", body, headers)
        return answer.status, json.loads(answer.body) if answer.body else None

    async def publish(self, text: str, *, key: str = ADMIN) -> dict[str, Any]:
        name = text.partition("flow: ")[2].partition("\n")[0].strip()
        status, told = await self.rest("PUT", f"flows/{name}", text.encode(), "application/yaml", key=key)
        assert status in {200, 201}, told
        return told

    async def hook(
        self,
        address: str,
        body: bytes,
        delivery: str = "msg_1",
        kind: str = "application/json",
        *,
        key: bytes = HOOK_KEY,
    ) -> Answer:
        """A delivery signed as Standard Webhooks say."""
        import hmac

        at = str(self.now // 1000)
        signature = hmac.new(key, f"{delivery}.{at}.".encode() + body, "sha256").digest()
        signed = {
            "webhook-id": delivery,
            "webhook-timestamp": at,
            "webhook-signature": "v1," + b64encode(signature).decode(),
        }
        path = address if address.startswith("/") else f"/hooks/{address}"
        return await self.send("POST", path, body, {**signed, "content-type": kind})

    async def settle(self, idle_minutes: int = 20) -> None:
        """Let the background end, and work the queue off; time jumps over what is held back, and each minute is swept."""
        idle = 0
        while idle < idle_minutes:
            if self.background is not None and self.background.tasks:
                await asyncio.wait(set(self.background.tasks))
            received = await self.store.queue.receive(10, 0)
            if not received:
                idle += 1
                self.clock.time += timedelta(seconds=60)
                await sweep(self.tools)
            for each in received:
                idle = 0
                delay = await work_off(self.tools, each, Budget(self.now + 840_000))
                if delay is None:
                    await self.store.queue.acknowledge([each])
                else:
                    await self.store.queue.fail(each, delay)

    async def execution(self, execution: str) -> dict[str, Any]:
        status, told = await self.rest("GET", f"executions/{execution}")
        assert status == 200, told
        return told


class MemoryStore:
    def __init__(self, clock: JumpingClock) -> None:
        self.facts, self.blobs, self.versions = MemoryFacts(), MemoryBlobs(), MemoryVersions()
        self.documents = MemoryDocuments()
        self.queue = MemoryQueue(clock)

    def everything(self) -> str:
        stores = (self.facts, self.blobs, self.versions, self.queue._letters, self.documents)
        return repr([vars(each) for each in stores])


KINDS = ("memory", "lambda", "sqlite")


@asynccontextmanager
async def a_place(kind: str, path: Any):
    """`memory` and `sqlite` go on after the answer; `lambda` is memory with nothing in the background."""
    clock = JumpingClock()
    if kind != "sqlite":
        yield Place(clock, MemoryStore(clock), is_embedded=kind == "memory")
        return
    store = await SqliteStore.open(path / "penstock.sqlite", clock)
    place = Place(clock, store, is_embedded=True)
    try:
        yield place
    finally:
        assert place.background is not None
        await place.background.stop()
        await store.close()

"""An API over memory, with a door that remembers who knocked."""

import asyncio
import hashlib
import hmac
import json
import os
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jsonschema

from chalicelib.adapters.environment import EnvironmentCredentials
from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.adapters.memory.limits import MemoryLimits
from chalicelib.adapters.memory.refusals import MemoryRefusals
from chalicelib.adapters.memory.versions import MemoryVersions
from chalicelib.adapters.oauth_consents import StoredConsents
from chalicelib.adapters.vault import VaultCredentials
from chalicelib.adapters.vault_admin import VaultAdmin
from chalicelib.api.app import Api
from chalicelib.api.audit_log import AuditLog
from chalicelib.api.auth import Caller, Role, key_hash
from chalicelib.api.refusal_tally import RefusalTally
from chalicelib.api.request import Request, read_query
from chalicelib.api.schemas import ANSWERS
from chalicelib.api.sender_hosts import SenderHosts
from chalicelib.api.stored_keys import StoredKeys
from chalicelib.api.times import to_milliseconds
from chalicelib.api.tools import Settings, Tools
from chalicelib.api.watch import Watch
from chalicelib.catalogue import entries
from chalicelib.engine.ids import crockford, hashed_id
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.errors import (
    CredentialMissingError,
    DeliveryConflictError,
    ExecutionEndedError,
    ExecutionOngoingError,
    LinkExpiredError,
    LinkUsedError,
    LinkWrongError,
    NotFoundError,
    ParameterError,
    RedriveRefusedError,
)
from chalicelib.ports import Asked, Details, Entered, HttpAnswer, Link
from chalicelib.signing.links import make_link, read_link
from chalicelib.worker.plans import RememberedPlans
from tests.vault.keys import MemoryKeys

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
DUE = to_milliseconds(NOW) + 2 * 86_400_000
SECRET = "whsec_" + b64encode(b"a secret of thirty-two bytes....").decode()
LINK_KEY = b"a key of thirty-two bytes for links"
PORTS = {"approval": {"approved", "rejected"}, "callback": {"received"}}
KEYS = {role.name.lower(): f"key-of-the-{role.name.lower()}" for role in Role}


class Clock:
    def __init__(self):
        self.moment = NOW

    def now(self):
        return self.moment

    async def sleep(self, seconds):
        self.moment += timedelta(seconds=seconds)


class Ids:
    def __init__(self):
        self.count = 0

    def execution(self, now):
        self.count += 1
        return crockford(to_milliseconds(now) << 80 | self.count)

    def token(self):
        self.count += 1
        return crockford(self.count)


class Keys:
    """A key for each role, and those that are made through the API."""

    def __init__(self, stored):
        self.stored = stored
        self.revoked = set()
        self.rates = {}

    async def caller(self, key):
        return self._known(key_hash(key)) or await self.stored.caller(key)

    async def holder(self, tenant, who, hashed):
        return self._known(hashed) or await self.stored.holder(tenant, who, hashed)

    def _known(self, hashed):
        for role in Role:
            name = role.name.lower()
            if hashed == key_hash(KEYS[name]) and name not in self.revoked:
                return Caller(f"key_{name}", role, rate=self.rates.get(name))
        return None

    def used(self, caller):
        return self.stored.used(caller)

    def forget(self, tenant, key_id):
        self.stored.forget(tenant, key_id)


class Credentials:
    def __init__(self):
        self.known = {
            "hook": {"secret": SECRET},
            "text": {"secret": "a plain secret"},
            "bearer": {"token": "tok_12345678"},
            "person": {"username": "ann", "password": "letmein!"},
        }

    async def open(self, tenant, name, *, flow=""):
        if name not in self.known:
            raise CredentialMissingError(f"No credential `{name}`.")
        return self.known[name]


class Door:
    """Remembers every knock; answers what it was told to, or the execution that stands for the knock."""

    def __init__(self, ids):
        self.ids = ids
        self.knocks = []
        self.known = {}
        self.answer = None
        self.raises = None
        self.images = {}
        self.details_of = {}
        self.cancelled = []
        self.told = []
        self.woken = 0
        self.asked_of = {}
        self.signals = []
        self.beats = []

    async def enter(self, knock):
        self.knocks.append(knock)
        if self.raises is not None:
            raise self.raises
        if self.answer is not None:
            return self.answer
        if knock.key is None:
            return Entered(self.ids.execution(NOW), is_new=True)
        name = knock.trigger.id if knock.trigger else ""
        execution = hashed_id(knock.tenant, knock.plan.flow, name, knock.who, knock.key)
        first = self.known.setdefault(execution, knock.fingerprint)
        if first != knock.fingerprint:
            raise DeliveryConflictError(f"Another body came; execution {execution} stands for the first one.")
        return Entered(execution, is_new=True)

    async def retry(self, tenant, execution, received):
        if execution not in self.details_of:
            raise NotFoundError(f"There is no execution {execution}.")
        return Entered(self.ids.execution(NOW), is_new=True)

    async def cancel(self, tenant, execution, message):
        details = await self.details(tenant, execution)
        if details.image.status.is_terminal:
            raise ExecutionEndedError(f"Execution {execution} has ended.")
        self.cancelled.append((tenant, execution, message))
        return image(execution, Status.ENDING)

    async def pause(self, tenant, execution):
        return await self._change("pause", tenant, execution, Status.PAUSED)

    async def resume(self, tenant, execution):
        return await self._change("resume", tenant, execution, Status.RUNNING)

    async def _change(self, what, tenant, execution, status):
        details = await self.details(tenant, execution)
        if details.image.status.is_terminal:
            raise ExecutionEndedError(f"Execution {execution} has ended.")
        self.told.append((what, tenant, execution))
        return image(execution, status)

    async def resume_flow(self, tenant, flow):
        self.told.append(("resume_flow", tenant, flow))
        return self.woken

    async def redrive(self, tenant, execution, *, step=None, force=False):
        details = await self.details(tenant, execution)
        status = details.image.status
        if not status.is_terminal:
            raise ExecutionOngoingError(f"Execution {execution} is {status.word}.")
        if status is Status.SUCCEEDED and step is None:
            raise RedriveRefusedError(f"Execution {execution} has succeeded: name the step to begin with.")
        self.told.append(("redrive", tenant, execution, step, force))
        return image(execution, Status.RUNNING)

    async def read_link(self, text):
        return Link(*read_link(LINK_KEY, text))

    async def asked(self, link):
        if link not in self.asked_of:
            raise LinkWrongError("The execution that this link belongs to is gone.")
        return self.asked_of[link]

    async def signal(self, link, signal):
        asked = await self._open(link)
        if signal.port not in PORTS[asked.kind]:
            raise ParameterError(f"Step `{link.step}` has no port `{signal.port}`.")
        if self.raises is not None:
            raise self.raises
        self.signals.append((link, signal))
        self.asked_of[link] = replace(asked, status="answered", port=signal.port)
        return image(link.execution, Status.RUNNING)

    async def heartbeat(self, link):
        asked = await self._open(link)
        if asked.kind != "callback":
            raise ParameterError(f"Step `{link.step}` takes no heartbeat.")
        self.beats.append(link)
        return asked.due + 60_000 if asked.due else 0

    async def _open(self, link):
        asked = await self.asked(link)
        if asked.status == "answered":
            raise LinkUsedError
        if asked.status == "expired":
            raise LinkExpiredError
        if asked.status == "ended":
            raise ExecutionEndedError
        return asked

    async def details(self, tenant, execution):
        if execution not in self.details_of:
            raise NotFoundError(f"There is no execution {execution}.")
        return self.details_of[execution]


class Http:
    """Answers what it was told to, and remembers who asked for what."""

    def __init__(self):
        self.answers = {}
        self.sent = []

    async def send(self, request):
        self.sent.append(request)
        answer = self.answers.get(request.url, HttpAnswer(404, (), b""))
        if isinstance(answer, Exception):
            raise answer
        return answer


class House:
    def __init__(self, **settings):
        self.clock, self.ids, self.credentials = Clock(), Ids(), Credentials()
        self.versions, self.facts, self.blobs = MemoryVersions(), MemoryFacts(), MemoryBlobs()
        self.documents = MemoryDocuments()
        self.door = Door(self.ids)
        self.plans = RememberedPlans(self.versions, entries(), self.clock)
        self.told = []
        self.http = Http()
        self.master_keys = MemoryKeys()
        self.vault_credentials = VaultCredentials(
            self.documents, lambda: self.master_keys, EnvironmentCredentials({}), self.clock
        )
        self.vault = VaultAdmin(self.vault_credentials, self.http, renew=self.master_keys.renew)
        self.consents = StoredConsents(
            *(self.vault, self.documents, self.http, self.clock),
            base_url=settings.get("base_url", "https://penstock.example"),
            random=os.urandom,
        )
        self.refusals = RefusalTally(MemoryRefusals(), self.clock)
        self.keys = Keys(StoredKeys(self.documents, self.clock))
        self.audit = AuditLog(self.documents, self.clock, Ids(), days=settings.get("watch", Watch()).audit_days)
        self.limits = MemoryLimits(self.clock)
        self.tools = Tools(
            door=self.door,
            plans=self.plans,
            versions=self.versions,
            facts=self.facts,
            blobs=self.blobs,
            credentials=self.credentials,
            documents=self.documents,
            clock=self.clock,
            ids=self.ids,
            keys=self.keys,
            settings=Settings(**{"base_url": "https://penstock.example", **settings}),
            sender_hosts=SenderHosts(self.http, self.clock),
            refusals=self.refusals,
            audit=self.audit,
            limits=self.limits,
            peer_limits=self.limits,
            vault=lambda: self.vault,
            consents=lambda: self.consents,
            on_published=self.tell,
        )
        self.api = Api(self.tools)

    async def tell(self, live, plan):
        self.told.append((live, plan.version))

    def send(self, method, target, body=b"", *, headers=None, role=None, raw_headers=(), peer=""):
        path, _, query = target.partition("?")
        given = dict(headers or {})
        if role is not None:
            given["authorization"] = f"Bearer {KEYS[role]}"
        if isinstance(body, dict):
            given.setdefault("content-type", "application/json")
            body = json.dumps(body).encode()
        received = to_milliseconds(self.clock.now())
        request = Request(method, path, read_query(query), given, body, received, peer, raw_headers, query)
        return asyncio.run(self.api(request))

    def publish(self, text, name="shop"):
        headers = {"content-type": "application/yaml"}
        answer = self.send("PUT", f"/api/v1/flows/{name}", text.encode(), headers=headers, role="editor")
        assert answer.status in {200, 201}, answer.body
        return loaded(answer)

    def ask(self, kind, status="waiting", *, step="approve", path=(), due=DUE, **parameters):
        """A step that waits; the path of its link."""
        link = Link("main", "01h" + "0" * 23, "rows" if path else "", step, path)
        port = {"answered": "approved"}.get(status, "")
        self.door.asked_of[link] = Asked(kind, "shop", step, "The large ones", status, parameters, due, port)
        text = make_link(LINK_KEY, (link.tenant, link.execution, link.part, link.step, link.path))
        return f"/{kind}s/{text}"

    def is_up(self):
        """Whether the API still answers."""
        answer = self.send("GET", "/api/v1/health")
        return answer.status == 200 and loaded(answer) == {"status": "ok"}


def loaded(answer):
    return json.loads(answer.body)


def refused(answer, status, code):
    """Assert that an answer is this problem, whole and well-formed; return it."""
    assert (answer.status, loaded(answer).get("code")) == (status, code), answer.body
    assert answer.header("content-type") == "application/problem+json"
    problem = loaded(answer)
    assert problem["type"] == f"urn:penstock:error:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert isinstance(problem["errors"], list)
    return problem


def image(execution, status, *, reason=None, flow="shop", started=None):
    birth = Birth(flow, "v" * 64, "placed", started or to_milliseconds(NOW), "", "")
    ended = to_milliseconds(NOW) + 1500 if status.is_terminal else 0
    return Image(RecordKey("main", execution), status, 0, 1, birth, {}, reason=reason, ended=ended)


def failed(execution, message="secret inside"):
    return image(execution, Status.FAILED, reason=Reason(Status.FAILED, "charge", "http_500", message))


def details(execution, status, *steps):
    return Details(image(execution, status), {"name": "placed"}, {"total": 3}, None, list(steps))


def standard(body, *, delivery_id="msg_1", at=NOW, secret=SECRET, **headers):
    """The headers of a Standard Webhooks delivery."""
    seconds = str(int(at.timestamp()))
    key = b64decode(secret.removeprefix("whsec_"))
    signed = f"{delivery_id}.{seconds}.".encode() + body
    signature = b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{signature}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }


STEPS = 'steps:\n  note: {uses: set, with: {value: "${ trigger.body }"}}\n'
SIGNED = (
    "flow: shop\ntriggers:\n  placed:\n    uses: webhook\n    verify: {scheme: standard-webhooks, credential: hook}\n"
)
OPEN = "flow: shop\ntriggers:\n  placed:\n    uses: webhook\n    verify: none\n"


def opened_hook(house):
    """Publish a flow whose hook verifies nothing; return the hook's path."""
    return house.publish(OPEN + STEPS)["triggers"][0]["url"].removeprefix("https://penstock.example")


def conforms(answer, schema):
    """Assert that an answer's body is what the description says; return it."""
    described = {"$ref": f"#/components/schemas/{schema}", "components": {"schemas": ANSWERS}}
    jsonschema.Draft202012Validator(described).validate(loaded(answer))
    return loaded(answer)

"""Answering what a node asks: the one place where a step reaches the world."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from chalicelib.engine.ids import hashed_id, idempotency_key
from chalicelib.engine.messages import Send
from chalicelib.engine.records import Birth
from chalicelib.errors import CredentialMissingError, CredentialUnfitError, ParameterError, StepFailedError
from chalicelib.flow.inputs import fit_inputs
from chalicelib.flow.values import Json
from chalicelib.kit.encode import encode
from chalicelib.kit.judge import judge
from chalicelib.kit.service import Service
from chalicelib.kit.values import (
    Ask,
    Failed,
    Failure,
    GetFile,
    GetMoment,
    Hmac,
    Moment,
    PutFile,
    Request,
    Response,
    RunCode,
    Started,
    StartFlow,
)
from chalicelib.ports import HttpRequest
from chalicelib.ports.files import Files
from chalicelib.signing.outbound import Outgoing, authorize
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.children import DEEPEST
from chalicelib.worker.lanes import lanes_for
from chalicelib.worker.packing import json_text, to_start
from chalicelib.worker.redaction import Secrets
from chalicelib.worker.tools import Tools


class AskFailedError(Exception):
    """A service refused what a node asked; caught by the attempt, never seen outside the worker."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


@dataclass(slots=True)
class Errand:
    """One attempt's dealings with the world."""

    tools: Tools
    tenant: str
    execution: str
    step: str
    path: tuple[int, ...]
    service: Service | None
    parameters: Mapping[str, Json]
    credential: str | None
    moment: Moment
    secrets: Secrets
    timeout_seconds: float
    is_effect: bool
    part: str = ""
    """The record that the step's facts lie in; empty for the head."""
    depth: int = 0
    """How many calls lie above this execution."""
    redrive: str = ""
    """What tells its requests from those before a redrive (see `Surroundings`)."""
    flow: str = ""
    """The flow that the step stands in: what it may open is what is shared with that one."""
    asked: int = 0
    """How many requests were sent: the ordinal in the idempotency key."""
    answered: int = 0
    """How many of them were answered."""
    has_asked: bool = False
    """A request was sent, whatever became of it."""
    is_sent: bool = False
    """Something may have left for the service, and its answer has not arrived."""
    _fields: Mapping[str, str] | None = field(default=None)

    async def answer(self, ask: Ask) -> Any:
        """What the node is handed for this ask; raises AskFailedError where the service refused it."""
        match ask:
            case Request():
                return await self._send(ask)
            case StartFlow():
                return await self._start(ask)
            case PutFile(content, name, kind):
                blob = await Files(self.tools.blobs, self.tenant).put(content)
                return {"file": blob, "name": name, "type": kind, "size": len(content)}
            case GetFile(file):
                return await Files(self.tools.blobs, self.tenant).get(_blob_name(file))
            case GetMoment():
                return self.moment
            case Hmac(algorithm, content):
                fields = await self._open()
                secret = fields.get("secret")
                if not secret:
                    raise CredentialUnfitError(f"step `{self.step}`: its credential has no field `secret`.")
                return hmac.new(secret.encode(), content, getattr(hashlib, algorithm)).digest()
            case RunCode():
                return await self._run_code(ask)
            case _:
                assert_never(ask)

    async def _run_code(self, ask: RunCode) -> Json:
        """What the author's program returned."""
        from chalicelib.worker.code import Place, run_code  # imported late: few steps are programs

        place = Place(self.tenant, self.execution, self.step)
        outcome = await run_code(self.tools.sandbox, ask, place, self.moment, self.timeout_seconds, self.secrets)
        if isinstance(outcome, Failed):
            raise AskFailedError(outcome.failure)
        return outcome.value

    async def _open(self) -> Mapping[str, str]:
        """The credential's fields; opened once per attempt, forgotten with it."""
        if self._fields is None:
            if self.credential is None:
                raise CredentialMissingError(
                    f"step `{self.step}` needs a credential: name one, as in `credential: my_key`."
                )
            self._fields = await self.tools.credentials.open(self.tenant, self.credential, flow=self.flow)
            self.secrets.add_credential(self._fields)
        return self._fields

    async def _send(self, request: Request) -> Response:
        """One exchange: encode, sign, send, judge."""
        service = self.service or ANYWHERE
        kind = service.credential if request.signed else "none"
        needs = kind not in {"none", "any", "optional"} or (kind == "any" and self.credential is not None)
        fields: Mapping[str, str] = await self._open() if needs and request.signed else {}
        base_url = fields.get("base_url") or service.base_url
        region = {"region": fields["region"]} if fields.get("region") else {}
        encoded = encode(request, service, base_url=base_url, fields={**region, **self.parameters})
        headers = encoded.headers
        ordinal, self.asked = self.asked, self.asked + 1
        if self.is_effect and service.idempotency_header and not _has(headers, service.idempotency_header):
            key = idempotency_key(self.execution, self.step, self.path, ordinal, self.redrive)
            headers = (*headers, (service.idempotency_header, key))
        outgoing = Outgoing(encoded.method, encoded.url, headers, encoded.body)
        if needs:
            now = self.tools.clock.now()
            # The region that the address was made with is the one to sign for.
            options = {**service.credential_options, **fields, **_region({**self.parameters, **request.fills})}
            outgoing = authorize(_kind_of(fields) if kind == "any" else kind, options, outgoing, now=now)
        answer = await self._exchange(outgoing, request)
        response = Response(answer.status, answer.body, _joined(answer.headers))
        failure = judge(request, response, service, now=self.tools.clock.now())
        if failure is not None:
            raise AskFailedError(failure)
        return response

    async def _exchange(self, outgoing: Outgoing, request: Request) -> Any:
        self.is_sent = self.has_asked = True
        answer = await self.tools.http.send(
            HttpRequest(
                outgoing.method,
                outgoing.url,
                outgoing.headers,
                outgoing.body,
                self.timeout_seconds,
                request.limit_bytes or self.tools.settings.answer_limit_bytes,
                request.to_own,
            )
        )
        self.is_sent = False
        self.answered += 1
        return answer

    async def _start(self, ask: StartFlow) -> Started:
        """Start a child under an id of its own making: asked twice, it is one execution."""
        live = await self.tools.plans.live(self.tenant, ask.flow)
        if live is None:
            raise ParameterError(
                f"step `{self.step}`: no flow `{ask.flow}` is published. Publish it, or mend the name."
            )
        if not live.enabled:
            raise ParameterError(f"step `{self.step}`: the flow `{ask.flow}` is disabled. Enable it first.")
        plan = await self.tools.plans.plan(self.tenant, live.flow, live.version)
        inputs = fit_inputs(plan.inputs, ask.inputs, where="with.inputs")
        path = ".".join(map(str, self.path))
        again = (self.redrive,) if self.redrive else ()
        child = hashed_id(self.tenant, "call", self.execution, self.step, path, str(self.asked), *again)
        self.asked += 1
        if self.depth >= DEEPEST:
            said = (
                f"step `{self.step}`: {DEEPEST} calls lie above this one. A flow calls itself, directly or in a circle."
            )
            raise StepFailedError(said, code="call_too_deep")
        now = to_milliseconds(self.tools.clock.now())
        document = json_text({"trigger": None, "inputs": inputs})
        digest = hashlib.sha256(document.encode()).hexdigest()
        deadline = now + int(plan.deadline_seconds * 1000) if plan.deadline_seconds else 0
        birth = Birth(
            *(ask.flow, live.version, "", now, "", digest, deadline),
            parent=f"{self.execution}.{self.step}.{self.part}" if ask.is_waited else f"{self.execution}.{self.step}",
            keyed=True,
            depth=self.depth + 1,
            lanes=await lanes_for(self.tools, plan, self.tenant, {"trigger": None, "inputs": inputs}, now),
        )
        await self.tools.queue.send([Send(await to_start(self.tools.blobs, self.tenant, child, birth, document))])
        return Started(child, f"{self.tools.settings.base_url}/api/v1/executions/{child}")


ANYWHERE = Service("HTTP", credential="none")


def _has(headers: Sequence[tuple[str, str]], name: str) -> bool:
    """Whether the flow gives this header itself."""
    return any(each.lower() == name.lower() for each, _ in headers)


def _kind_of(fields: Mapping[str, str]) -> str:
    """How a credential signs where the service leaves it open: as it says itself, else as its fields suggest."""
    if "kind" in fields:
        return fields["kind"]
    for kind, needed in _TELLING_FIELDS:
        if needed <= fields.keys():
            return kind
    return "none"


_TELLING_FIELDS = (
    ("aws", {"access_key_id", "secret_access_key"}),
    ("basic", {"username", "password"}),
    ("header", {"name", "value"}),
    ("bearer", {"token"}),
)


def _region(parameters: Mapping[str, Json]) -> Mapping[str, str]:
    region = parameters.get("region")
    return {"region": region} if isinstance(region, str) and region else {}


def _joined(headers: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Repeated headers as one, joined by a comma (RFC 9110, section 5.3); cookies by a line break."""
    joined: dict[str, str] = {}
    for name, value in headers:
        glue = "\n" if name == "set-cookie" else ", "
        joined[name] = f"{joined[name]}{glue}{value}" if name in joined else value
    return joined


def _blob_name(file: Mapping[str, Json]) -> str:
    name = file.get("file")
    if not isinstance(name, str):
        raise ParameterError('A file is {"file", "name", "type", "size"}, as a step that makes one returns it.')
    return name


def moment_of(now: datetime, zone: str, seed: bytes) -> Moment:
    """A node's moment."""
    return Moment(now, zone, seed)

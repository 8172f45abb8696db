"""Where strangers knock: size, address, token, signature over the raw bytes; only then is anything parsed.

A verified delivery becomes a trigger's document and a knock at the door; what the trigger promised becomes the answer.
"""

import hashlib
import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from hmac import compare_digest
from types import MappingProxyType
from typing import Final, NamedTuple

from chalicelib.api.auth import MAIN_TENANT
from chalicelib.api.content import refuse_size
from chalicelib.api.document import document_of
from chalicelib.api.hook_answers import answer_of
from chalicelib.api.json_body import read_json
from chalicelib.api.rating import rate_hook, rate_peer
from chalicelib.api.request import Answer, Request
from chalicelib.api.sender_hosts import need_hosts
from chalicelib.api.times import from_milliseconds
from chalicelib.api.tools import Call, Tools
from chalicelib.errors import (
    CallerError,
    CredentialUnfitError,
    DeliveryConflictError,
    FlowDisabledError,
    MethodNotAllowedError,
    NotFoundError,
    PenstockError,
    SettingError,
    StoreError,
    UsageError,
)
from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.flow.values import Json
from chalicelib.ports import Knock, Live
from chalicelib.ports.files import Files
from chalicelib.signing.inbound import Delivery, Verified, certificate_url, scheme_row, verify
from chalicelib.signing.inbound_scheme import SharedToken

_log = logging.getLogger("penstock.hooks")

_ASK_UNSIGNED: Final = frozenset({"meta-whatsapp", "dropbox", "notion"})
"""Schemes with a question that carries no signature."""
_ASK_SIGNED: Final = frozenset({"slack", "zoom", "notion", "discord", "twitch", "aws-sns"})
"""Schemes with a question that is signed like every delivery."""
_NOT_HERE: Final = "There is no hook at this address. The flow's page shows the addresses of its hooks."


class _Sender(NamedTuple):
    """What is known of a delivery's sender once it is let in."""

    key: str | None = None
    """What makes this delivery the same as another; None where nothing does."""
    secret_header: str = ""
    """The header that carries the scheme's secret."""
    scheme: str = ""
    secret: Mapping[str, object] = MappingProxyType({})


async def receive(call: Call) -> Answer:
    """Take a delivery in; see DESIGN 6 for the order of things. What is refused is counted."""
    tenant = call.names.get("tenant", MAIN_TENANT)
    found = _Found()
    try:
        return await _receive(call, tenant, found)
    except PenstockError as error:
        # Where the store is in trouble nothing was refused, and it is not asked to write that down either.
        if call.tools.refusals is not None and not isinstance(error, StoreError):
            # An address of no flow may name any tenant: all of them are counted as one.
            await call.tools.refusals.note(tenant if found.flow else MAIN_TENANT, found.flow, found.trigger, error.code)
        raise


class _Found:
    """Whom a delivery is for, as far as that is known."""

    def __init__(self) -> None:
        self.flow = ""
        self.trigger = ""


async def _receive(call: Call, tenant: str, found: _Found) -> Answer:
    tools, request, names = call.tools, call.request, call.names
    try:
        live, plan, trigger = await _find(tools, tenant, names["flow"], names["trigger"], found)
    except NotFoundError:
        refuse_size(request, tools.settings.limit_bytes)  # too large is too large, wherever it goes
        raise
    refuse_size(request, tools.settings.limit_bytes)
    await rate_peer(tools, request, tenant, live.flow, trigger.id)
    _refuse_token(live, trigger, names.get("token"))
    if not live.enabled:
        raise FlowDisabledError
    asked = await _answer_unsigned(tools, live, trigger, request)
    if asked is not None:
        return asked
    _refuse_method(trigger, request.method)
    limit = limit_of(trigger.parameters, tools.settings.limit_bytes)
    refuse_size(request, limit)
    sender = await _let_in(tools, live, trigger, request)
    await rate_hook(tools, tenant, live.flow, trigger)
    path = request.path.rpartition("/")[0] if "token" in names else request.path
    files = Files(tools.blobs, tenant)
    document = await document_of(
        request, trigger=trigger.id, path=path, secret_header=sender.secret_header, limit=limit, blobs=files
    )
    if sender.scheme == "aws-sns" and isinstance(document["body"], str):
        document["body"] = read_json(request.body)  # SNS sends its JSON as text/plain
    asked = await _answer_signed(tools, sender, request, document["body"])
    if asked is not None:
        return asked
    respond = "accepted" if live.paused else trigger.respond  # queued: its result would outlast every request
    knock = Knock(
        tenant,
        plan,
        trigger,
        document,
        None,
        respond,
        request.received,
        key=sender.key,
        fingerprint=_fingerprint(request),
        wait_seconds=tools.settings.wait_seconds,
    )
    try:
        entered = await tools.door.enter(knock)
    except DeliveryConflictError:
        _log.warning("another body under the same delivery id: flow %s, trigger %s", plan.flow, trigger.id)
        raise
    return await answer_of(entered, respond, tools.settings, files)


async def _find(tools: Tools, tenant: str, flow: str, name: str, found: _Found) -> tuple[Live, Plan, TriggerPlan]:
    """The published flow and its trigger; raises NotFoundError with one text, whatever is missing."""
    if FLOW_NAME.fullmatch(flow) and FLOW_NAME.fullmatch(tenant):
        live = await tools.plans.live(tenant, flow)
        if live is not None:
            found.flow = flow
            plan = await tools.plans.plan(tenant, flow, live.version)
            trigger = plan.triggers.get(name)
            if trigger is not None and trigger.uses == "webhook":
                found.trigger = name
                return live, plan, trigger
    raise NotFoundError(_NOT_HERE)


def _refuse_token(live: Live, trigger: TriggerPlan, given: str | None) -> None:
    """A trigger that verifies nothing has its token in the path, any other has none: else there is nothing here."""
    if trigger.verify is not None:
        if given is not None:
            raise NotFoundError(_NOT_HERE)
        return
    known = live.tokens.get(trigger.id, "")
    shown = (given or "").encode("utf-8", "surrogatepass")
    if not compare_digest(known.encode(), shown) or not known:
        raise NotFoundError(_NOT_HERE)


def _refuse_method(trigger: TriggerPlan, method: str) -> None:
    methods = methods_of(trigger.parameters)
    if method not in methods:
        raise MethodNotAllowedError(f"This hook takes {', '.join(methods)}.", allow=[*methods, "OPTIONS"])


def methods_of(parameters: Mapping[str, Json]) -> tuple[str, ...]:
    """The methods a webhook trigger answers: `with.method`, one or a list of them, POST by default."""
    given = parameters.get("method")
    if given is None:
        return ("POST",)
    return tuple(str(each).upper() for each in (given if isinstance(given, list) else [given]))


def limit_of(parameters: Mapping[str, Json], most: int) -> int:
    """The largest body in bytes: `with.limit_bytes`, where that is less than the deployment's limit."""
    given = parameters.get("limit_bytes")
    return min(given, most) if isinstance(given, int) else most


async def _answer_unsigned(tools: Tools, live: Live, trigger: TriggerPlan, request: Request) -> Answer | None:
    """The answer to a sender's question that carries no signature; None for everything else."""
    scheme = verification_of(trigger.verify)[0] if trigger.verify is not None else ""
    if scheme not in _ASK_UNSIGNED:
        return None
    from chalicelib.api.handshakes import answer_unsigned, unsigned_question  # imported late: few senders ask

    if not unsigned_question(scheme, request):
        return None
    with _our_fault(trigger):
        return answer_unsigned(scheme, request, await _secret(tools, live, trigger.verify))


async def _answer_signed(tools: Tools, sender: _Sender, request: Request, body: Json) -> Answer | None:
    """The answer to a verified delivery that is a sender's question; None for everything else."""
    if sender.scheme not in _ASK_SIGNED:
        return None
    from chalicelib.api.handshakes import answer_signed  # imported late: few senders ask

    return await answer_signed(sender.scheme, request, body, sender.secret, tools.sender_hosts)


async def _let_in(tools: Tools, live: Live, trigger: TriggerPlan, request: Request) -> _Sender:
    """Verify the delivery over its raw bytes; raises the errors of `signing.inbound.verify`."""
    given = trigger.verify
    if given is None:
        return _Sender()
    scheme, options = verification_of(given)
    headers = _joined(request) if scheme == "rfc9421" else request.headers
    url = f"{tools.settings.base_url}{request.path}" if tools.settings.base_url else ""
    delivery = Delivery(request.method, request.path, request.raw_query, headers, request.body, url)
    with _our_fault(trigger):
        secret = await _secret(tools, live, given)
        lies = certificate_url(scheme, secret, delivery)
        certificate = await need_hosts(tools.sender_hosts).certificate(lies) if lies is not None else b""
        now = from_milliseconds(request.received)
        verified = verify(scheme, options, secret, delivery, now=now, certificate=certificate)
    secret_header = ""
    if scheme != "hmac":
        row = scheme_row(scheme, options)
        secret_header = row.header if isinstance(row, SharedToken) else ""
    return _Sender(delivery_key(verified, request.body), secret_header, scheme, secret)


async def _secret(tools: Tools, live: Live, verify: Mapping[str, Json] | None) -> Mapping[str, object]:
    name = str((verify or {}).get("credential", ""))
    try:
        return await tools.credentials.open(live.tenant, name, flow=live.flow)
    except CallerError as error:  # what the vault says of it is its owner's to read
        raise CredentialUnfitError(error.detail) from error


@contextmanager
def _our_fault(trigger: TriggerPlan) -> Generator[None]:
    """What is not the sender's fault is none of its business: it may come again once this is mended."""
    try:
        yield
    except (CredentialUnfitError, UsageError) as error:
        _log.error("trigger %s cannot verify its deliveries: %s", trigger.id, error.detail)
        raise SettingError("This hook cannot verify deliveries yet. The server's log says why.") from error


def _joined(request: Request) -> Mapping[str, str]:
    """The headers as RFC 9421 section 2.1 takes them: the values of a repeated one in order, joined by commas."""
    values: dict[str, list[str]] = {}
    for name, value in request.raw_headers:
        values.setdefault(name, []).append(value.strip(" \t"))
    return {**request.headers, **{name: ", ".join(each) for name, each in values.items()}}


def verification_of(verify: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    """The scheme that a trigger names, in `signing`'s spelling (`standard_webhooks` is meant too), and its options."""
    scheme = str(verify.get("scheme", "")).replace("_", "-")
    return scheme, {name: value for name, value in verify.items() if name not in {"scheme", "credential"}}


def delivery_key(verified: Verified, body: bytes) -> str | None:
    """What two deliveries have in common that are the same one.

    The id, where the signature covers it; an id that anybody could have changed counts together with the body. Without
    an id but with a time that is signed, the time together with the body: what is captured and sent again within the
    window then starts nothing. Without either nothing does.
    """
    if verified.delivery_id is not None:
        if verified.id_is_signed:
            return verified.delivery_id
        return f"{verified.delivery_id} {hashlib.sha256(body).hexdigest()}"
    if verified.signed_at is not None:
        return f"{verified.signed_at.isoformat()} {hashlib.sha256(body).hexdigest()}"
    return None


def _fingerprint(request: Request) -> str:
    """SHA-256 of what was sent: method, path, query, body."""
    head = f"{request.method}\n{request.path}\n{request.raw_query}\n"
    digest = hashlib.sha256(head.encode("utf-8", "surrogatepass"))
    digest.update(request.body)
    return digest.hexdigest()

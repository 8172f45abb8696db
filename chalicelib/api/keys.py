"""API keys: made, listed, rotated, revoked. A key is in the answer that makes it, and nowhere else ever."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from chalicelib.api.auth import Caller, Role, key_hash
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.scopes import grants_of, may_give
from chalicelib.api.stored_keys import KIND, KeyRecord, from_document, new_key, to_document
from chalicelib.api.times import to_milliseconds, to_text, to_text_or_none
from chalicelib.api.tools import Call
from chalicelib.errors import ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError, UsageError
from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.values import Json

_DAY_MS: Final = 86_400_000
_TRIES: Final = 3
_NO_KEY: Final = "There is no key with this id. GET /api/v1/keys lists those there are."


class _Wish(NamedTuple):
    """What a new key is to be."""

    name: str
    role: Role
    scopes: tuple[str, ...]
    lasts: int


async def list_keys(call: Call) -> Answer:
    """The keys that the caller could have made, by id; `cursor` leads to the next page."""
    tenant, limit = _tenant(call, call.query.get("tenant")), call.query.get("limit")
    most = limit if isinstance(limit, int) else 100
    after = call.query.get("cursor")
    found = await call.tools.documents.page(tenant, KIND, after=after if isinstance(after, str) else "", most=most)
    now = to_milliseconds(call.tools.clock.now())
    records = [from_document(tenant, each) for each in found]
    items: list[Json] = [_shown(each, now) for each in records if _is_within(call, each)]
    return json_answer({"items": items, "cursor": found[-1].key if len(found) == most else None})


async def create(call: Call) -> Answer:
    """Make a key. Raises ForbiddenError for one that could do more than the caller's, or is another tenant's."""
    caller, tenant = _caller(call), _tenant(call, call.body.get("tenant"))
    wish = _wish(call)
    if not may_give(caller, wish.role, grants_of(wish.scopes)):
        raise ForbiddenError("A key cannot make one that may do more than itself. Give it a role and scopes within.")
    now = to_milliseconds(call.tools.clock.now())
    for _ in range(_TRIES):
        key_id, key = new_key(call.tools.ids, tenant)
        record = KeyRecord(
            *(key_id, tenant, wish.name, wish.role, wish.scopes, key_hash(key), now, call.who, wish.lasts),
            expires=now + wish.lasts if wish.lasts else 0,
        )
        put = call.tools.documents.put
        if await put(tenant, KIND, key_id, to_document(record), seen=None, expires=record.forgotten):
            return json_answer({"key": key, **_shown(record, now)}, 201)
    raise ConflictError("Another key was given the same id. Try again.")


async def revoke(call: Call) -> Answer:
    """Let a key open nothing any more; the same again changes nothing."""

    def revoked(record: KeyRecord, now: int) -> KeyRecord:
        return record if record.revoked else replace(record, revoked=now)

    record, now = await _change(call, revoked)
    return json_answer(_shown(record, now))


async def rotate(call: Call) -> Answer:
    """A new secret under the same id, role and scopes, and as long to live as at first."""
    seconds = call.body.get("overlap_seconds")
    overlap = seconds * 1000 if isinstance(seconds, int) else 0
    tenant = _tenant(call, call.query.get("tenant"))
    _, key = new_key(call.tools.ids, tenant, call.names["id"])

    def rotated(record: KeyRecord, now: int) -> KeyRecord:
        if record.revoked:
            raise ConflictError("The key was revoked, and stays so. Make a new one.")
        return replace(
            record,
            hash=key_hash(key),
            former=record.hash,
            # A key that has expired is not brought back by giving its holder another one.
            former_until=min(now + overlap, record.expires or now + overlap),
            expires=now + record.lasts if record.lasts else 0,
        )

    record, now = await _change(call, rotated)
    return json_answer({"key": key, **_shown(record, now)})


async def _change(call: Call, to: Callable[[KeyRecord, int], KeyRecord]) -> tuple[KeyRecord, int]:
    """Write a key as it is to be, given what it is; the record, and the moment."""
    tenant, key_id = _tenant(call, call.query.get("tenant")), call.names["id"]
    documents = call.tools.documents
    for _ in range(_TRIES):
        document = await documents.get(tenant, KIND, key_id)
        if document is None:
            raise NotFoundError(_NO_KEY)
        before = from_document(tenant, document)
        if not _is_within(call, before):
            raise NotFoundError(_NO_KEY)
        now = to_milliseconds(call.tools.clock.now())
        after = to(before, now)
        if after == before or await documents.put(
            tenant, KIND, key_id, to_document(after), seen=document.rev, expires=after.forgotten
        ):
            call.tools.keys.forget(tenant, key_id)
            return after, now
    raise ConflictError("The key is being changed by somebody else. Look at it, then try again.")


def _wish(call: Call) -> _Wish:
    body = call.body
    name, days, given = str(body["name"]), body.get("days"), body.get("scopes")
    if not name.isprintable() or not name.strip():
        raise UsageError("A key's name is printable text that says what the key is for.")
    scopes = tuple(str(each) for each in given) if isinstance(given, list) else ()
    if given is not None and not scopes:
        raise UsageError("`scopes` is empty: name flows, or leave it out for every flow.")
    if body.get("never_expires") is True:
        if days is not None:
            raise UsageError("Give `days` or `never_expires`, not both.")
        return _Wish(name, Role[str(body["role"]).upper()], scopes, 0)
    lasts = (days if isinstance(days, int) else 90) * _DAY_MS
    return _Wish(name, Role[str(body["role"]).upper()], scopes, lasts)


def _tenant(call: Call, given: Json) -> str:
    """Whose keys this is about: the caller's tenant, another for those whom the deployment's configuration names."""
    if given is None or given == call.tenant:
        return call.tenant
    if not _caller(call).is_owner:
        raise ForbiddenError("Only a key that the deployment's configuration names may look after another tenant's.")
    if not FLOW_NAME.fullmatch(str(given)):
        raise UsageError("A tenant's name is made of lower-case letters, digits, - and _, a letter first.")
    return str(given)


def _caller(call: Call) -> Caller:
    if call.caller is None:
        raise UnauthenticatedError
    return call.caller


def _is_within(call: Call, record: KeyRecord) -> bool:
    """Whether the caller may know of a key: one that could do more than the caller is not there for it."""
    return may_give(_caller(call), record.role, grants_of(record.scopes))


def _shown(record: KeyRecord, now: int) -> dict[str, Json]:
    return {
        "id": record.id,
        "tenant": record.tenant,
        "name": record.name,
        "role": record.role.name.lower(),
        "scopes": list(record.scopes) or None,
        "status": record.status(now),
        "created": to_text(record.made),
        "created_by": record.made_by,
        "expires": to_text_or_none(record.expires),
        "revoked": to_text_or_none(record.revoked),
        "last_used": to_text_or_none(record.used),
    }

"""API keys as they are stored: by tenant and id, the secret as its SHA-256 alone.

A key reads `penstock_<tenant>.<id>.<secret>`: the first two say where to look, the secret is 256 random bits. What was
read is remembered for a few seconds, so that a key in use does not cost a read for each request; whoever changes a key
through this process tells it so at once.
"""

import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Final, cast

from chalicelib.api.auth import PREFIX, Caller, Grant, Role, key_hash
from chalicelib.api.times import to_milliseconds, to_text
from chalicelib.errors import PenstockError, StoreError, UnauthenticatedError
from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Document, Documents, Ids

KIND: Final = "api_key"
REMEMBERED_MS: Final = 10_000
"""How long another process may go on taking a key that was revoked."""
NOTED_MS: Final = 3_600_000
"""How exactly the last use of a key is known."""
KEPT_MS: Final = 30 * 86_400_000
"""How long a key that has expired or was revoked is still listed."""
MOST_REMEMBERED: Final = 1_000
_ID_CHARACTERS: Final = 12

_log = logging.getLogger("penstock.api")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key. Times are epoch milliseconds, 0 for one that has not come, or never does.

    Attributes:
        hash: the SHA-256 of the whole key.
        scopes: as they were given (`scopes`); empty: every flow.
        lasts: from its making, or its rotation, to its expiry; 0: for ever.
        former: the hash before the last rotation, which counts until `former_until`.
        made_by: the id of the key that made it.
    """

    id: str
    tenant: str
    name: str
    role: Role
    scopes: tuple[str, ...]
    hash: str
    made: int
    made_by: str
    lasts: int = 0
    expires: int = 0
    revoked: int = 0
    used: int = 0
    former: str = ""
    former_until: int = 0

    def status(self, now: int) -> str:
        """`active`, `expired` or `revoked`."""
        return "revoked" if self.revoked else "expired" if self.expires and self.expires <= now else "active"

    def fits(self, hashed: str, now: int) -> bool:
        """Whether a key with this hash is this one; compared whatever the first comparison says."""
        is_current = compare_digest(self.hash, hashed)
        is_former = compare_digest(self.former or "-" * len(hashed), hashed) and now < self.former_until
        return is_current or is_former

    @property
    def forgotten(self) -> int:
        """Epoch seconds from which on the store may forget it; 0: never."""
        ends = self.revoked or self.expires
        return (ends + KEPT_MS) // 1000 if ends else 0


def new_key(ids: Ids, tenant: str, key_id: str = "") -> tuple[str, str]:
    """A key's id (a new one where none is given) and the key itself."""
    key_id = key_id or ids.token()[-_ID_CHARACTERS:]
    return key_id, f"{PREFIX}{tenant}.{key_id}.{ids.token()}{ids.token()}"


def place_of(key: str) -> tuple[str, str] | None:
    """The tenant and the id that a key names; None for what is none of ours."""
    parts = key.removeprefix(PREFIX).split(".")
    if not key.startswith(PREFIX) or len(parts) != 3:
        return None
    tenant, key_id, _ = parts
    is_id = len(key_id) == _ID_CHARACTERS and key_id.isascii() and key_id.isalnum()
    return (tenant, key_id) if is_id and FLOW_NAME.fullmatch(tenant) else None


def to_document(record: KeyRecord) -> Mapping[str, Json]:
    """The record as it is stored; its tenant and its id are the document's own."""
    return {
        "name": record.name,
        "role": record.role.name.lower(),
        "scopes": list(record.scopes),
        "hash": record.hash,
        "made": record.made,
        "made_by": record.made_by,
        "lasts": record.lasts,
        "expires": record.expires,
        "revoked": record.revoked,
        "used": record.used,
        "former": record.former,
        "former_until": record.former_until,
    }


def from_document(tenant: str, document: Document) -> KeyRecord:
    """The record that a document holds; raises StoreError for one that is none of ours."""
    value = cast("Mapping[str, str]", document.value)
    times = {name: int(value[name]) for name in ("made", "lasts", "expires", "revoked", "used", "former_until")}
    try:
        role = Role[value["role"].upper()]
    except KeyError as error:
        raise StoreError(f"the key {document.key} has a role that is none") from error
    return KeyRecord(
        document.key,
        tenant,
        value["name"],
        role,
        tuple(value["scopes"]),
        value["hash"],
        made_by=value["made_by"],
        former=value["former"],
        **times,
    )


@dataclass(slots=True)
class _Remembered:
    """A key as it was when it was last read or written."""

    record: KeyRecord
    rev: str
    grants: tuple[Grant, ...]
    read: int


class StoredKeys:
    """Fulfils `Keys` with those that were made through the API; one for the life of a process."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self._remembered: dict[tuple[str, str], _Remembered] = {}
        self._changes = 0

    async def caller(self, key: str) -> Caller | None:
        """Whose key this is; raises UnauthenticatedError where it was one and has expired or was revoked."""
        place = place_of(key)
        return await self._at(place, key_hash(key)) if place is not None else None

    async def holder(self, tenant: str, who: str, hashed: str) -> Caller | None:
        """Whose key has this hash; raises as `caller` does."""
        return await self._at((tenant, who.removeprefix("key_")), hashed)

    async def _at(self, place: tuple[str, str], hashed: str) -> Caller | None:
        now = to_milliseconds(self._clock.now())
        known = self._remembered.get(place)
        if known is None or now - known.read >= REMEMBERED_MS:
            known = await self._read(*place, now)
        if known is None or not known.record.fits(hashed, now):
            return None
        record = known.record
        match record.status(now):
            case "expired":
                raise UnauthenticatedError(f"The key expired at {to_text(record.expires)}. Ask for a new one.")
            case "revoked":
                raise UnauthenticatedError("The key was revoked. Ask for a new one.")
            case _:
                return Caller(f"key_{record.id}", record.role, record.tenant, known.grants)

    def used(self, caller: Caller) -> Awaitable[None] | None:
        """Write down that it is used, at most once an hour."""
        known = self._remembered.get((caller.tenant, caller.id.removeprefix("key_")))
        now = to_milliseconds(self._clock.now())
        if known is None or now - known.record.used < NOTED_MS:
            return None
        known.record = replace(known.record, used=now)  # requests that come together write it once
        return self._note(known)

    def forget(self, tenant: str, key_id: str) -> None:
        """A key was changed: read it anew, and do not remember what is being read just now."""
        self._changes += 1
        self._remembered.pop((tenant, key_id), None)

    async def _read(self, tenant: str, key_id: str, now: int) -> _Remembered | None:
        from chalicelib.api.scopes import grants_of  # imported late: hooks have no keys

        before = self._changes
        document = await self._documents.get(tenant, KIND, key_id)
        if document is None:
            return None
        record = from_document(tenant, document)
        found = _Remembered(record, document.rev, grants_of(record.scopes), now)
        if self._changes == before:
            while len(self._remembered) >= MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered.pop((tenant, key_id), None)
            self._remembered[tenant, key_id] = found
        return found

    async def _note(self, known: _Remembered) -> None:
        record = known.record
        try:
            rev = await self._documents.put(
                record.tenant, KIND, record.id, to_document(record), seen=known.rev, expires=record.forgotten
            )
        except PenstockError as error:
            _log.warning("the use of key %s could not be noted: %s", record.id, error.detail)
            return
        if rev is not None:
            known.rev = rev  # else somebody changed the key meanwhile: their word counts

"""Looking after credentials: stored, listed, given new values, shared, removed, brought under a new master key."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from chalicelib.adapters.struck import keep_out_of_logs
from chalicelib.adapters.vault import KIND, Opened, VaultCredentials
from chalicelib.adapters.vault_trial import try_out
from chalicelib.errors import (
    ConflictError,
    CredentialUnfitError,
    NotFoundError,
    PenstockError,
    UsageError,
)
from chalicelib.flow.values import Json
from chalicelib.ports import Document, Http
from chalicelib.ports.vault import Held, Rewrapped, Tested
from chalicelib.vault.errors import CredentialNotSharedError, SealBrokenError
from chalicelib.vault.record import BOUND, Former, Record, Share, record_from
from chalicelib.vault.sealing import (
    DATA_KEY_BYTES,
    LONGEST_PLAIN,
    NONCE_BYTES,
    Context,
    seal,
    with_wrapped,
    wrapped_of,
)
from chalicelib.vault.type_words import CredentialType
from chalicelib.vault.types import check_fields, find_type, guessed_type, opened_fields, secret_fields

PAGE: Final = 200
"""Credentials that one call rewraps: with KMS some ten milliseconds each, and a gateway waits 29 s."""
_AT_ONCE: Final = 20
_TRIES: Final = 3
_LONGEST_OVERLAP_SECONDS: Final = 30 * 86_400


class VaultAdmin:
    """Fulfils `ports.vault.Vault`; every write is one document, over what was seen of it."""

    def __init__(
        self, credentials: VaultCredentials, http: Http, *, renew: Callable[[], Awaitable[str]] | None = None
    ) -> None:
        """`renew` makes a new master key; None where its keeper does that by itself."""
        self._credentials = credentials
        self._documents = credentials.documents
        self._clock = credentials.clock
        self._http = http
        self._renew = renew

    async def listed(self, tenant: str) -> Sequence[Held]:
        """Every credential of the vault and of the environment, by name."""
        of_environment = set(self._credentials.environment.names(tenant))
        found: dict[str, Held] = {name: Held(name, "environment") for name in of_environment}
        after = ""
        while page := await self._documents.page(tenant, KIND, after=after, most=PAGE):
            after = page[-1].key
            found |= {each.key: _found(each, of_environment) for each in page}
            if len(page) < PAGE:
                break
        return [found[name] for name in sorted(found)]

    async def find(self, tenant: str, name: str) -> Held:
        """One of them."""
        of_environment = set(self._credentials.environment.names(tenant))
        document = await self._documents.get(tenant, KIND, name)
        if document is not None:
            return _found(document, of_environment)
        if name in of_environment:
            return Held(name, "environment")
        raise _missing((), name)

    async def keep(
        self,
        tenant: str,
        name: str,
        fields: Mapping[str, object],
        *,
        type_name: str,
        share: Share | None,
        is_admin: bool,
    ) -> tuple[Held, bool]:
        """Store a credential, over one that is there: a new version, and the former one is gone at once."""

        async def next_of(seen: Record | None) -> tuple[Record, dict[str, str]]:
            if seen is not None:
                _refuse_others(name, seen.share, is_admin=is_admin)
            texts = {key: value for key, value in fields.items() if isinstance(value, str)}
            kind = find_type(type_name or (seen.type if seen is not None else guessed_type(texts)))
            kept = check_fields(kind, _without_its_kind(kind, fields))
            known = share or (seen.share if seen is not None else Share())
            return self._record(kind.name, seen, kept, known), kept

        return await self._write(tenant, name, next_of, may_replace_broken=is_admin)

    async def rotate(
        self, tenant: str, name: str, fields: Mapping[str, object], *, overlap_seconds: int, is_admin: bool
    ) -> Held:
        """New values as a new version; nothing secret of the former one is taken over."""

        async def next_of(seen: Record | None) -> tuple[Record, dict[str, str]]:
            before = await self._read(tenant, name, seen)
            _refuse_others(name, before.record.share, is_admin=is_admin)
            kind = find_type(before.record.type)
            public = {each.name for each in kind.fields if not each.is_secret}
            # Were a secret taken over, new `hosts` beside it would send it to whoever may write them.
            stays = {key: value for key, value in before.fields.items() if key in public}
            kept = check_fields(kind, {**stays, **_without_its_kind(kind, fields)})
            proving = {each.name for each in kind.fields if each.is_secret and each.name != "previous"}
            if proving and not proving & fields.keys():
                raise CredentialUnfitError(f"New values of `{name}` are none without its secret.")
            record = self._record(kind.name, before.record, kept, before.record.share)
            if overlap_seconds > 0:
                until = self._now() + min(overlap_seconds, _LONGEST_OVERLAP_SECONDS) * 1000
                record = replace(record, former=Former(before.record.version, before.record.sealed, until))
            return record, kept

        return (await self._write(tenant, name, next_of))[0]

    async def replace(self, tenant: str, name: str, before: Opened, fields: Mapping[str, str]) -> Opened | None:
        """The next version, with these fields, over exactly what was seen; None where somebody was quicker.

        For tokens that were renewed: who may use it, and a former version that still counts, stay.
        """
        unsealed = replace(
            self._record(before.record.type, before.record, fields, before.record.share), former=before.record.former
        )
        record = await self._sealed(tenant, name, unsealed, fields)
        rev = await self._documents.put(tenant, KIND, name, record.to_json(), seen=before.rev)
        if rev is None:
            return None
        self._credentials.forget(tenant, name)
        keep_out_of_logs(secret_fields(fields).values())
        return Opened(fields, opened_fields(find_type(record.type), fields), record, rev)

    async def read(self, tenant: str, name: str) -> Opened | None:
        """A credential as it is now; None where the vault has none of this name."""
        return await self._credentials.read(tenant, name)

    async def share(self, tenant: str, name: str, share: Share) -> Held:
        """Who may use it from now on; the values stay, sealed anew together with that."""

        async def next_of(seen: Record | None) -> tuple[Record, dict[str, str]]:
            before = await self._read(tenant, name, seen)
            return replace(before.record, share=share, changed=self._now()), dict(before.fields)

        return (await self._write(tenant, name, next_of))[0]

    async def remove(self, tenant: str, name: str, *, is_admin: bool) -> bool:
        """Remove it for good."""
        for _ in range(_TRIES):
            document = await self._documents.get(tenant, KIND, name)
            if document is None:
                raise _missing(self._credentials.environment.names(tenant), name)
            _refuse_others(name, _share_of(document), is_admin=is_admin)
            if await self._documents.delete(tenant, KIND, name, seen=document.rev):
                self._credentials.forget(tenant, name)
                return name in self._credentials.environment.names(tenant)
        raise _contended(name)

    async def test(self, tenant: str, name: str, *, url: str, is_admin: bool) -> Tested:
        """Open it, and ask its service where that can be done."""
        held = await self._credentials.read(tenant, name)
        if held is not None:
            _refuse_others(name, held.record.share, is_admin=is_admin)
            found = await self._credentials.fresh(tenant, name) or held
            tested = Tested(name, "vault", found.record.version)
            return await try_out(tested, find_type(found.record.type), found.for_steps, url, self._http, self._clock)
        if name not in self._credentials.environment.names(tenant):
            raise _missing((), name)
        fields = self._credentials.environment.read(name)
        tested = Tested(name, "environment", 0)
        return await try_out(tested, find_type(guessed_type(fields)), fields, url, self._http, self._clock)

    async def rewrap(self, tenant: str, *, after: str, with_new_key: bool) -> Rewrapped:
        """Bring the next credentials under the current master key; ended at any point, it can be gone on with."""
        master_key = ""
        if with_new_key:
            if self._renew is None:
                raise UsageError("The master key lies in KMS, which renews it by itself. Rewrap without a new one.")
            master_key = await self._renew()
        page = await self._documents.page(tenant, KIND, after=after, most=PAGE)
        done, failed = 0, list[tuple[str, str]]()
        for start in range(0, len(page), _AT_ONCE):
            some = page[start : start + _AT_ONCE]
            for each in await asyncio.gather(*(self._rewrap_or_why(tenant, document) for document in some)):
                if isinstance(each, tuple):
                    failed.append(each)
                else:
                    done += each
        cursor = page[-1].key if len(page) == PAGE else None
        return Rewrapped(master_key, len(page), done, failed, cursor)

    async def refuse_unshared(self, tenant: str, flow: str, names: Iterable[str], *, is_admin: bool) -> None:
        """Raise CredentialNotSharedError unless each of these may be used in this flow, published by this caller."""
        for name in names:
            document = await self._documents.get(tenant, KIND, name)
            if document is None:
                continue
            share = _share_of(document)
            _refuse_others(name, share, is_admin=is_admin)
            if share.flows is not None and flow not in share.flows:
                raise CredentialNotSharedError(
                    f"The credential `{name}` is not shared with the flow `{flow}`. An admin shares it: "
                    f"`penstock credentials share {name}`."
                )

    def _record(self, type_name: str, seen: Record | None, fields: Mapping[str, str], share: Share) -> Record:
        """The next version, not sealed yet."""
        now = self._now()
        listed = opened_fields(find_type(type_name), fields).get("hosts", "")
        hosts = tuple(each.strip() for each in listed.split(",") if each.strip())
        version, created = (seen.version + 1, seen.created) if seen is not None else (1, now)
        return Record(type_name, version, {}, created, now, hosts, tuple(sorted(fields)), share)

    async def _write(
        self,
        tenant: str,
        name: str,
        next_of: Callable[[Record | None], Awaitable[tuple[Record, dict[str, str]]]],
        *,
        may_replace_broken: bool = False,
    ) -> tuple[Held, bool]:
        """Seal and store what follows from what is there, over exactly that."""
        for _ in range(_TRIES):
            document = await self._documents.get(tenant, KIND, name)
            seen = self._seen(document, is_admin=may_replace_broken)
            unsealed, fields = await next_of(seen)
            record = await self._sealed(tenant, name, unsealed, fields)
            value, rev = record.to_json(), document.rev if document is not None else None
            if await self._documents.put(tenant, KIND, name, value, seen=rev):
                self._credentials.forget(tenant, name)
                return _held(name, record, self._credentials.environment.names(tenant)), document is None
        raise _contended(name)

    def _seen(self, document: Document | None, *, is_admin: bool) -> Record | None:
        """What is there; one that cannot be read is as none to an admin, who may so replace it."""
        try:
            return record_from(document.value) if document is not None else None
        except SealBrokenError:
            if is_admin:
                return None
            raise

    async def _sealed(self, tenant: str, name: str, record: Record, fields: Mapping[str, str]) -> Record:
        """The record with its fields sealed under a data key that nothing else is sealed under."""
        if sum(len(key) + len(value) for key, value in fields.items()) * 6 > LONGEST_PLAIN:
            raise CredentialUnfitError(f"A credential has at most {LONGEST_PLAIN // 6:,} characters in all.")
        context, data_key = Context(tenant, name, record.version), secrets.token_bytes(DATA_KEY_BYTES)
        wrapped = await self._credentials.keys.wrap(data_key, context.to_mapping())
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = {**fields, BOUND: record.bound()}
        return replace(record, sealed=seal(bound, context, data_key=data_key, nonce=nonce, wrapped=wrapped))

    async def _read(self, tenant: str, name: str, seen: Record | None) -> Opened:
        if seen is None:
            raise _missing(self._credentials.environment.names(tenant), name)
        return await self._credentials.opened(tenant, name, seen, "")

    async def _rewrap_or_why(self, tenant: str, document: Document) -> int | tuple[str, str]:
        """How many were changed, 0 or 1; the name and the reason where it cannot be."""
        try:
            return await self._rewrap(tenant, document)
        except PenstockError as error:
            return document.key, error.detail

    async def _rewrap(self, tenant: str, document: Document) -> int:
        """One credential, its former version included; 1 where that changed anything."""
        found: Document | None = document
        for _ in range(_TRIES):
            if found is None:
                return 0  # removed meanwhile
            record, name = record_from(found.value), found.key
            sealed = await self._rewrapped(Context(tenant, name, record.version), record.sealed)
            former = record.former
            if former is not None:
                under = Context(tenant, name, former.version)
                former = replace(former, sealed=await self._rewrapped(under, former.sealed))
            after = replace(record, sealed=sealed, former=former)
            if after == record:
                return 0
            if await self._documents.put(tenant, KIND, name, after.to_json(), seen=found.rev):
                return 1
            found = await self._documents.get(tenant, KIND, name)
        raise _contended(document.key)

    async def _rewrapped(self, context: Context, sealed: dict[str, Json]) -> dict[str, Json]:
        return with_wrapped(sealed, await self._credentials.keys.rewrap(wrapped_of(sealed), context.to_mapping()))

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _without_its_kind(kind: CredentialType, fields: Mapping[str, object]) -> Mapping[str, object]:
    """The fields without the `kind` that a credential of the environment says, where the type says the same."""
    if kind.takes_any or fields.get("kind") != kind.kind:
        return fields
    return {name: value for name, value in fields.items() if name != "kind"}


def _found(document: Document, of_environment: Iterable[str]) -> Held:
    try:
        return _held(document.key, record_from(document.value), of_environment)
    except SealBrokenError:
        return Held(document.key, "vault", hides=document.key in of_environment, is_broken=True)


def _held(name: str, record: Record, of_environment: Iterable[str]) -> Held:
    return Held(
        name,
        "vault",
        record.type,
        record.version,
        record.fields,
        record.hosts,
        record.share,
        record.created,
        record.changed,
        record.former.until if record.former is not None else 0,
        name in of_environment,
    )


def _share_of(document: Document) -> Share:
    """Who may use it; one that cannot be read is an admin's to replace or remove."""
    try:
        return record_from(document.value).share
    except SealBrokenError:
        return Share("admin")


def _refuse_others(name: str, share: Share, *, is_admin: bool) -> None:
    if share.role == "admin" and not is_admin:
        raise CredentialNotSharedError(f"The credential `{name}` is for admins alone. Ask one, or use another.")


def _missing(of_environment: Iterable[str], name: str) -> NotFoundError:
    if name in of_environment:
        return NotFoundError(
            f"`{name}` comes from the environment, not from the vault. Change it where the environment is made, or "
            f"store one over it: `penstock credentials set {name}`."
        )
    return NotFoundError(f"No credential `{name}`. `penstock credentials set {name}` stores one.")


def _contended(name: str) -> ConflictError:
    return ConflictError(f"The credential `{name}` is being changed by somebody else. Look at it, then try again.")

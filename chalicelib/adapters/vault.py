"""Opening credentials: those of the vault first, then those of the environment."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from chalicelib.adapters.environment import EnvironmentCredentials
from chalicelib.adapters.struck import keep_out_of_logs
from chalicelib.ports import Clock, Documents

if TYPE_CHECKING:
    from chalicelib.flow.values import Json
    from chalicelib.vault.keys import KeyService
    from chalicelib.vault.record import Record, Share

# What opens is imported when something of the vault is first opened: most deliveries open nothing of it.

KIND: Final = "credential"
REMEMBERED_SECONDS: Final = 30
"""How long another process may still use what was changed or removed here; a write in this process is seen at once."""
REMEMBERED_ABSENCE_SECONDS: Final = 5
MOST_REMEMBERED: Final = 500
_PROVING: Final = ("secret", "token", "password", "topic", "webhook_id")
"""The field that proves a delivery, by which `signing.inbound` finds its former value in `previous`."""


class Opened(NamedTuple):
    """A credential in the clear."""

    fields: Mapping[str, str]
    """As they were given, what only renews it included."""
    for_steps: Mapping[str, str]
    """As a step or a hook is handed them."""
    record: "Record"
    rev: str

    def __repr__(self) -> str:
        return f"Opened({self.record.type}, version {self.record.version})"


Renew: TypeAlias = Callable[[str, str, Opened], Awaitable[Opened]]
"""Gives a credential of a tenant, whose token may be at its end, a token that lasts."""


class _Remembered(NamedTuple):
    until: datetime
    for_steps: Mapping[str, str] | None
    """None: the vault has none of this name."""
    share: "Share | None"


class VaultCredentials:
    """Fulfils `ports.Credentials`; what it opened it remembers for half a minute, in this process's memory."""

    def __init__(
        self,
        documents: Documents,
        key_service: "Callable[[], KeyService]",
        environment: EnvironmentCredentials,
        clock: Clock,
    ) -> None:
        """Take what holds the sealed values, what unwraps their keys, and what is asked for names not in the vault.

        `key_service` is called when the first key is unwrapped or wrapped.
        """
        self.documents = documents
        self.environment = environment
        self.clock = clock
        self._key_service = key_service
        self._keys: KeyService | None = None
        self.renew: Renew | None = None
        """Asked before a credential whose token is got over OAuth 2.0 is handed on; the wiring sets it."""
        self._remembered: dict[tuple[str, str], _Remembered] = {}
        self._writes = 0

    @property
    def keys(self) -> "KeyService":
        """What wraps and unwraps data keys."""
        if self._keys is None:
            self._keys = self._key_service()
        return self._keys

    async def open(self, tenant: str, name: str, *, flow: str = "") -> Mapping[str, str]:
        """The credential's fields, for one call of this flow.

        Raises CredentialMissingError, CredentialNotSharedError, SealBrokenError, MasterKeyUnknownError.
        """
        known = self._remembered.get((tenant, name))
        if known is None or known.until <= self.clock.now():
            known = await self._look(tenant, name)
        if known.for_steps is None:
            return await self.environment.open(tenant, name)
        flows = known.share.flows if known.share is not None else ()
        if flows is not None and flow not in flows:
            from chalicelib.vault.errors import CredentialNotSharedError

            raise CredentialNotSharedError(
                f"The credential `{name}` is not shared with the flow `{flow}`. An admin shares it: "
                f"`penstock credentials share {name}`."
            )
        return known.for_steps

    async def read(self, tenant: str, name: str) -> Opened | None:
        """A credential as the vault holds it now, past what is remembered; None where it holds none."""
        document = await self.documents.get(tenant, KIND, name)
        if document is None:
            return None
        from chalicelib.vault.record import record_from

        record = record_from(document.value)
        return await self.opened(tenant, name, record, document.rev)

    async def fresh(self, tenant: str, name: str) -> Opened | None:
        """The same as it may be used now: a token at its end is renewed; raises CredentialNotConnectedError too."""
        found = await self.read(tenant, name)
        if found is None or self.renew is None:
            return found
        from chalicelib.vault.types import find_type

        return found if find_type(found.record.type).oauth2 is None else await self.renew(tenant, name, found)

    async def opened(self, tenant: str, name: str, record: "Record", rev: str) -> Opened:
        """A record in the clear; raises SealBrokenError unless all that decides about it is as it was sealed."""
        from chalicelib.vault.errors import SealBrokenError
        from chalicelib.vault.record import BOUND
        from chalicelib.vault.types import find_type, opened_fields

        fields = await self._unsealed(tenant, name, record.version, record.sealed)
        if fields.pop(BOUND, None) != record.bound():
            raise SealBrokenError
        for_steps = opened_fields(find_type(record.type), fields)
        former = record.former
        if former is not None and former.until > self.clock.now().timestamp() * 1000:
            before = await self._unsealed(tenant, name, former.version, former.sealed)
            if previous := next((before[name] for name in _PROVING if before.get(name)), None):
                for_steps.setdefault("previous", previous)
        return Opened(fields, for_steps, record, rev)

    def forget(self, tenant: str, name: str) -> None:
        """It was written here: ask the next time."""
        self._writes += 1
        self._remembered.pop((tenant, name), None)

    async def _unsealed(self, tenant: str, name: str, version: int, sealed: "dict[str, Json]") -> dict[str, str]:
        from chalicelib.vault.record import BOUND
        from chalicelib.vault.sealing import Context, open_sealed, wrapped_of
        from chalicelib.vault.types import public_fields

        context = Context(tenant, name, version)
        data_key = await self.keys.unwrap(wrapped_of(sealed), context.to_mapping())
        fields = open_sealed(sealed, context, data_key)
        public = public_fields()
        keep_out_of_logs(value for key, value in fields.items() if key not in public and key != BOUND)
        return fields

    async def _look(self, tenant: str, name: str) -> _Remembered:
        writes, now = self._writes, self.clock.now()
        found = await self.fresh(tenant, name)
        if found is None:
            known = _Remembered(now + timedelta(seconds=REMEMBERED_ABSENCE_SECONDS), None, None)
        else:
            until, former = now + timedelta(seconds=REMEMBERED_SECONDS), found.record.former
            if former is not None and former.until > now.timestamp() * 1000:
                until = min(until, datetime.fromtimestamp(former.until / 1000, UTC))
            if (left := _seconds_left(found.fields, now)) is not None:
                until = min(until, now + timedelta(seconds=left))
            known = _Remembered(until, found.for_steps, found.record.share)
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        if writes == self._writes:  # else what was read may be what a write has replaced meanwhile
            self._remembered[(tenant, name)] = known
        return known


def _seconds_left(fields: Mapping[str, str], now: datetime) -> float | None:
    """How long a token that expires may be remembered: until it is to be renewed; None for whatever does not expire."""
    if "expires_at" not in fields:
        return None
    from chalicelib.vault.oauth2 import RENEWED_BEFORE_SECONDS, seconds_left

    return max(0.0, (seconds_left(fields, now) or 0.0) - RENEWED_BEFORE_SECONDS)

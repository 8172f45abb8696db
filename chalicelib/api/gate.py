"""Who knows which key: the configuration its own, the store those that were made, an issuer its tokens."""

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Final

from chalicelib.api.auth import PREFIX, AdminKeys, Caller, Keys
from chalicelib.ports import Clock, Documents, Http

if TYPE_CHECKING:
    from chalicelib.api.stored_keys import StoredKeys


OIDC: Final = "PENSTOCK_OIDC"
"""The setting that says whose tokens count (docs/access.md)."""


class Gate:
    """Fulfils `Keys` by asking whoever may know a key."""

    def __init__(self, admin: AdminKeys, documents: Documents, clock: Clock, tokens: Keys | None = None) -> None:
        self._admin = admin
        self._documents = documents
        self._clock = clock
        self._tokens = tokens
        self._stored: StoredKeys | None = None

    async def caller(self, key: str) -> Caller | None:
        """Whose key this is."""
        found = await self._admin.caller(key)
        if found is not None:
            return found
        if key.startswith(PREFIX):
            return await self._stored_keys().caller(key)
        return await self._tokens.caller(key) if self._tokens is not None else None

    async def holder(self, tenant: str, who: str, hashed: str) -> Caller | None:
        """Whose key has this hash. A token has none that is kept: it is over soon, and nobody here could tell when."""
        found = await self._admin.holder(tenant, who, hashed)
        return found if found is not None else await self._stored_keys().holder(tenant, who, hashed)

    def used(self, caller: Caller) -> Awaitable[None] | None:
        """Stored keys are noted, the others are not ours to write about."""
        return self._stored.used(caller) if self._stored is not None else None

    def forget(self, tenant: str, key_id: str) -> None:
        """A key was changed here."""
        if self._stored is not None:
            self._stored.forget(tenant, key_id)

    def _stored_keys(self) -> "StoredKeys":
        if self._stored is None:
            from chalicelib.api.stored_keys import StoredKeys  # imported late: hooks have no keys

            self._stored = StoredKeys(self._documents, self._clock)
        return self._stored


def gate_of(admin: AdminKeys, documents: Documents, environment: Mapping[str, str], http: Http, clock: Clock) -> Gate:
    """The gate of a deployment; raises SettingError where its settings cannot be read."""
    setting = environment.get(OIDC, "")
    tokens: Keys | None = None
    if setting:
        from chalicelib.api.tokens import TokenKeys, issuer_from  # imported late: few deployments have an issuer

        tokens = TokenKeys(issuer_from(setting), http, clock)
    return Gate(admin, documents, clock, tokens)

"""Renewing tokens where it is needed: what does it is imported when the first token is at its end."""

from typing import TYPE_CHECKING

from chalicelib.adapters.vault import Opened, VaultCredentials
from chalicelib.ports import Documents, Http, Ids

if TYPE_CHECKING:
    from chalicelib.adapters.oauth_tokens import Renewal


class LateRenewal:
    """What `VaultCredentials.renew` is set to."""

    def __init__(self, credentials: VaultCredentials, http: Http, ids: Ids) -> None:
        """Take the vault, and the guarded client for what flows call: token addresses are its users'."""
        self._credentials = credentials
        self._http = http
        self._ids = ids
        self._renewal: Renewal | None = None

    async def __call__(self, tenant: str, name: str, opened: Opened) -> Opened:
        """The credential with a token that lasts."""
        if self._renewal is None:
            from chalicelib.adapters.oauth_tokens import Renewal
            from chalicelib.adapters.vault_admin import VaultAdmin

            vault = self._credentials
            documents: Documents = vault.documents
            shelf = VaultAdmin(vault, self._http)
            self._renewal = Renewal(shelf, documents, self._http, vault.clock, self._ids)
        return await self._renewal.fresh(tenant, name, opened)

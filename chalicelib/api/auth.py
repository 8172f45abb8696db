"""Who asks, and what they may do: default deny, keys known by their hash alone, roles in one order.

`stored_keys` knows the keys that were made through the API, `tokens` an issuer's; `gate` asks each about its own.
"""

import hashlib
import re
from collections.abc import Awaitable, Sequence
from enum import IntEnum
from hmac import compare_digest
from typing import Final, NamedTuple, Protocol

from chalicelib.api.request import Request
from chalicelib.errors import ForbiddenError, SettingError, UnauthenticatedError
from chalicelib.kit.rates import Rate

MAIN_TENANT: Final = "main"
PREFIX: Final = "penstock_"
"""Of every key that is made here: so that scanners for leaked secrets can know it, and people too."""
_HASH = re.compile(r"[0-9a-f]{64}")
_HASH_OF_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_LONGEST_KEY: Final = 8_192
"""Characters; a token of an issuer with many claims has a few thousand, our own keys fewer than 200."""


class Role(IntEnum):
    """What a key may do; each role may do what those before it may."""

    VIEWER = 1
    """Look."""
    OPERATOR = 2
    """Start, cancel and retry executions; enable and disable flows."""
    EDITOR = 3
    """Publish flows."""
    ADMIN = 4
    """Everything, the keys of the tenant included."""


class Grant(NamedTuple):
    """Some flows, and how far a key may go with them; `scopes` reads and writes them as text."""

    flows: str
    """A flow's name; with a `*` at its end every name that begins so; `*` alone is every flow."""
    role: Role

    def covers(self, flows: str) -> bool:
        """Whether whatever these names mean is meant here too; a flow's name means itself."""
        return self.flows == flows or (self.flows.endswith("*") and flows.startswith(self.flows[:-1]))


class Caller(NamedTuple):
    """Whoever holds a valid key. `id` is no secret: it stands for the key in records and logs."""

    id: str
    role: Role
    tenant: str = MAIN_TENANT
    grants: tuple[Grant, ...] = ()
    """The flows that the key is for, each with the most that it may do there; empty: every flow of the tenant."""
    is_owner: bool = False
    """The deployment's own configuration names the key: it may make keys for other tenants."""
    rate: Rate | None = None
    """How often it may ask; None: as the deployment says of every key."""

    def role_on(self, flow: str) -> Role | None:
        """What the caller may do with a flow; None: not even know of it."""
        if not self.grants:
            return self.role
        roles = [min(grant.role, self.role) for grant in self.grants if grant.covers(flow)]
        return max(roles, default=None)


class Keys(Protocol):
    """Knows keys."""

    async def caller(self, key: str) -> Caller | None:
        """Whose key this is; None where it is nobody's, UnauthenticatedError where there is more to say."""
        ...

    async def holder(self, tenant: str, who: str, hashed: str) -> Caller | None:
        """Whoever a key stands for, by its tenant, its `Caller`'s id and its `key_hash`: a session ends with its key.

        None where there is no such key of this deployment, or it counts no longer.
        """
        ...

    def used(self, caller: Caller) -> Awaitable[None] | None:
        """What is to be done now that a caller was let in, beside the answer; None, as mostly: nothing."""
        ...

    def forget(self, tenant: str, key_id: str) -> None:
        """A key was changed here: what is remembered of it is out of date."""
        ...


class AdminKeys:
    """Fulfils `Keys` with the hashes that the deployment's configuration names; each is an admin's.

    Without a hash nobody gets in.
    """

    def __init__(self, hashes: Sequence[str]) -> None:
        """Take SHA-256 hashes in hexadecimal, several while a key is being changed; raises SettingError."""
        for each in hashes:
            if not _HASH.fullmatch(each) or each == _HASH_OF_NOTHING:
                raise SettingError(
                    "PENSTOCK_ADMIN_KEY_HASH holds SHA-256 hashes in lower-case hexadecimal, separated by commas. "
                    "Put the key's hash there, not the key."
                )
        self._hashes = [each.encode() for each in hashes]

    async def caller(self, key: str) -> Caller | None:
        """Whose key this is."""
        return self._holder(key_hash(key))

    async def holder(self, tenant: str, who: str, hashed: str) -> Caller | None:
        """Whoever the hash stands for: it alone says all there is to say of such a key."""
        del tenant, who
        return self._holder(hashed)

    def _holder(self, hashed: str) -> Caller | None:
        """Compare with every hash, whichever fits, so that the time says nothing."""
        shown = hashed.encode()
        fits = False
        for known in self._hashes:
            fits |= compare_digest(known, shown)
        return Caller(f"key_{shown[:12].decode()}", Role.ADMIN, is_owner=True) if fits else None

    def used(self, caller: Caller) -> None:
        """Nothing is written about a key that only the configuration knows."""

    def forget(self, tenant: str, key_id: str) -> None:
        """Nothing is remembered."""


def hashes_from(setting: str) -> list[str]:
    """The hashes in `PENSTOCK_ADMIN_KEY_HASH`: separated by commas; none in an empty one."""
    return [each for part in setting.split(",") if (each := part.strip())]


def key_hash(key: str) -> str:
    """What is kept of a key: its SHA-256 in hexadecimal. Keys are random (`penstock` makes them), so no salt."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def shown_key(request: Request) -> str | None:
    """The key that a request shows; None without one, with two, or with what can be none."""
    given = request.headers.get("authorization", "")
    scheme, _, key = given.partition(" ")
    key = key.strip(" ")
    sent_once = sum(name == "authorization" for name, _ in request.raw_headers) <= 1
    if scheme.lower() != "bearer" or not sent_once or not 0 < len(key) <= _LONGEST_KEY:
        return None
    return key


async def authenticate(request: Request, keys: Keys) -> Caller:
    """Whoever sent the request; raises UnauthenticatedError without a valid key."""
    key = shown_key(request)
    caller = await keys.caller(key) if key is not None else None
    if caller is None:
        raise UnauthenticatedError
    return caller


def allow(caller: Caller, role: Role) -> None:
    """Raise ForbiddenError where the caller's role is below the one needed."""
    if caller.role < role:
        raise ForbiddenError(f"This needs the role {role.name.lower()}; the key has {caller.role.name.lower()}.")

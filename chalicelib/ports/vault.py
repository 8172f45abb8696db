"""The vault as those see it who look after credentials; steps and hooks open them through `Credentials`.

It stands apart from the other ports: a delivery needs none of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from chalicelib.vault.record import ANYBODY, Share

Origin = Literal["vault", "environment"]


@dataclass(frozen=True, slots=True)
class Held:
    """What may be shown of a credential: never a value. Times are epoch milliseconds; 0 where nobody noted them."""

    name: str
    origin: Origin
    type: str = ""
    version: int = 0
    fields: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    share: Share = ANYBODY
    created: int = 0
    changed: int = 0
    former_until: int = 0
    """Until when deliveries signed with the former version still count; 0: there is none."""
    hides: bool = False
    """The environment has one of this name too, which is not used."""
    is_broken: bool = False
    """What is stored cannot be read: it was altered, or a newer Penstock wrote it."""


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test showed; nothing of what the service said but its status."""

    name: str
    origin: Origin
    version: int
    asked: str = ""
    """The host that was asked; empty where nothing was sent."""
    status: int = 0
    works: bool | None = None
    """Whether the service took it; None where it was only opened."""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """A part of bringing everything under the current master key."""

    master_key: str
    """The one that was made just now; empty where none was."""
    looked_at: int
    rewrapped: int
    failed: Sequence[tuple[str, str]]
    """Names that stay as they were, and why."""
    cursor: str | None
    """Where to go on; None at the end."""


class Vault(Protocol):
    """Keeps credentials. `is_admin` says whether the caller is one: others leave alone what is an admin's."""

    async def listed(self, tenant: str) -> Sequence[Held]:
        """Every credential of the vault and of the environment, by name."""
        ...

    async def find(self, tenant: str, name: str) -> Held:
        """One of them; raises NotFoundError."""
        ...

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
        """Store a credential, over one that is there; as it is now, and whether it is new.

        `share` None leaves it as it was. Raises CredentialUnfitError, which shows no value; CredentialNotSharedError;
        ConflictError where others keep changing it.
        """
        ...

    async def rotate(
        self, tenant: str, name: str, fields: Mapping[str, object], *, overlap_seconds: int, is_admin: bool
    ) -> Held:
        """New values as a new version: each secret is given anew, what is not secret stays unless it is given.

        Deliveries signed with the former version count for so many seconds more. Raises as `keep` does, and
        NotFoundError.
        """
        ...

    async def share(self, tenant: str, name: str, share: Share) -> Held:
        """Who may use it from now on; raises NotFoundError, ConflictError."""
        ...

    async def remove(self, tenant: str, name: str, *, is_admin: bool) -> bool:
        """Remove it for good; whether the environment has one of this name, which is used from now on.

        Raises NotFoundError, CredentialNotSharedError, ConflictError.
        """
        ...

    async def test(self, tenant: str, name: str, *, url: str, is_admin: bool) -> Tested:
        """Open it and, where its type says how or a `url` is given, ask its service; raises as `remove` does."""
        ...

    async def rewrap(self, tenant: str, *, after: str, with_new_key: bool) -> Rewrapped:
        """Bring the next credentials under the current master key, from the first one after this name on.

        `with_new_key` makes a new one before; raises UsageError where the master key's keeper makes its own (KMS).
        """
        ...

    async def refuse_unshared(self, tenant: str, flow: str, names: Iterable[str], *, is_admin: bool) -> None:
        """Raise CredentialNotSharedError unless each of these may be used in this flow, published by this caller."""
        ...

"""Connecting a credential to a service by a person's consent, as those see it who begin it and who answer it.

It stands apart from the other ports: a delivery needs none of it.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol

ConsentStatus = Literal["pending", "connected", "denied", "expired"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A consent that was begun. Times are epoch milliseconds."""

    url: str = field(repr=False)
    """Where the person agrees; whoever opens it decides which account is connected."""
    attempt: str
    """Its name, for asking how it stands; it opens nothing."""
    expires: int


@dataclass(frozen=True, slots=True)
class ConsentStanding:
    """How a consent stands."""

    status: ConsentStatus
    expires: int
    said: str = ""
    """Why it was denied, as far as the service said so."""


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What a browser brought back from the service (RFC 6749, section 4.1.2; RFC 9207): anybody may have written it."""

    state: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    error: str | None = None
    description: str = ""
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """A credential that has its tokens now."""

    tenant: str
    name: str
    who: str
    """The id of the key that began it."""


class Consents(Protocol):
    """Begins consents, and ends each of them once."""

    async def begin(self, tenant: str, name: str, who: str, *, is_admin: bool) -> Begun:
        """Send somebody to the service.

        Raises CredentialMissingError; CredentialUnfitError where its type needs no person, or a field is missing;
        CredentialNotSharedError; SettingError where nobody knows the address to come back to.
        """
        ...

    async def standing(self, tenant: str, name: str, who: str, attempt: str) -> ConsentStanding:
        """How it stands; raises ConsentUnknownError for another caller, credential or tenant than it was begun for."""
        ...

    async def finish(self, answer: CallbackAnswer) -> Connected:
        """Turn the answer into tokens, and store them before anything else is said.

        Raises ConsentUnknownError, ConsentExpiredError, ConsentUsedError (of two answers one wins), ConsentDeniedError.
        """
        ...

"""Who keeps master keys, as a Protocol: the vault hands data keys over to be wrapped, and gets them back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key under a master key; `key` names the master key."""

    key: str
    blob: bytes = field(repr=False)


class KeyService(Protocol):
    """Master keys that never leave whoever keeps them.

    The context says whose data key it is (`tenant`, `credential`, `version`); what was wrapped with one context is
    unwrapped with that one alone.
    """

    async def wrap(self, data_key: bytes, context: Mapping[str, str]) -> Wrapped:
        """The data key under the current master key."""
        ...

    async def unwrap(self, wrapped: Wrapped, context: Mapping[str, str]) -> bytes:
        """The data key; raises MasterKeyUnknownError, or SealBrokenError where it was altered or moved."""
        ...

    async def rewrap(self, wrapped: Wrapped, context: Mapping[str, str]) -> Wrapped:
        """The same data key under the current master key; as it is where it already lies under that one."""
        ...

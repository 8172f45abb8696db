"""Small records that are looked up, changed and removed (credentials, keys, sessions): a Protocol and its value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chalicelib.flow.values import Json

LONGEST_DOCUMENT: Final = 300_000
"""Bytes of a document's value as JSON; DynamoDB takes 400 KB for an item in all."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is.

    Attributes:
        key: its name among those of its tenant and kind.
        rev: stands for this very content: no two writes give the same one.
        value: a JSON object.
        expires: epoch seconds; 0: never. One that has expired may still be found: whoever reads looks here.
    """

    key: str
    rev: str
    value: Mapping[str, Json]
    expires: int = 0


class Documents(Protocol):
    """Documents by tenant, kind and key.

    A kind is one of our own words (`credential`, `api_key`), a key any ASCII text of up to 1,000 characters. A name
    that is none of these is not found, and cannot be written (StoreError).
    """

    async def get(self, tenant: str, kind: str, key: str) -> Document | None:
        """The document now, strongly consistent; None where there is none."""
        ...

    async def put(
        self, tenant: str, kind: str, key: str, value: Mapping[str, Json], *, seen: str | None, expires: int = 0
    ) -> str | None:
        """Write it where its `rev` still is the one seen (None: where there is none); its new `rev`.

        None where somebody was quicker. Raises StoreError where it certainly was not written or is too large,
        TimedOutError or CutOffError where nobody knows.
        """
        ...

    async def delete(self, tenant: str, kind: str, key: str, *, seen: str) -> bool:
        """Remove it for good where its `rev` still is the one seen; False where it is not. Raises as `put` does."""
        ...

    async def page(
        self, tenant: str, kind: str, *, after: str = "", most: int = 100, backwards: bool = False
    ) -> Sequence[Document]:
        """Up to so many by key, from the first one after this key on; `backwards`: before it, from the last one.

        Fewer than asked for means that there are no more.
        """
        ...

"""Documents in memory."""

import json
import secrets
from collections.abc import Mapping, Sequence

from chalicelib.adapters.documents import document_text, may_be_a_document
from chalicelib.flow.values import Json
from chalicelib.ports import Document


class MemoryDocuments:
    """Fulfils `ports.Documents`; what is kept is text, so that nobody's later changes reach it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, tuple[str, str, int]]] = {}

    async def get(self, tenant: str, kind: str, key: str) -> Document | None:
        """The document now."""
        found = self._kept.get((tenant, kind), {}).get(key)
        return None if found is None else _document(key, *found)

    async def put(
        self, tenant: str, kind: str, key: str, value: Mapping[str, Json], *, seen: str | None, expires: int = 0
    ) -> str | None:
        """Write it where its `rev` still is the one seen."""
        text = document_text(value, tenant, kind, key)
        there = self._kept.setdefault((tenant, kind), {})
        if (there[key][0] if key in there else None) != seen:
            return None
        rev = secrets.token_hex(8)
        there[key] = (rev, text, expires)
        return rev

    async def delete(self, tenant: str, kind: str, key: str, *, seen: str) -> bool:
        """Remove it where its `rev` still is the one seen."""
        there = self._kept.get((tenant, kind), {})
        if key not in there or there[key][0] != seen:
            return False
        del there[key]
        return True

    async def page(
        self, tenant: str, kind: str, *, after: str = "", most: int = 100, backwards: bool = False
    ) -> Sequence[Document]:
        """Up to so many by key."""
        if after and not may_be_a_document(after):
            return []
        there = self._kept.get((tenant, kind), {})
        keys = sorted(there, reverse=backwards)
        if after:
            keys = [key for key in keys if (key < after if backwards else key > after)]
        return [_document(key, *there[key]) for key in keys[:most]]


def _document(key: str, rev: str, text: str, expires: int) -> Document:
    return Document(key, rev, json.loads(text), expires)

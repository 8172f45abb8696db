"""What every store asks of a document before it keeps it."""

import json
from collections.abc import Mapping

from chalicelib.errors import StoreError
from chalicelib.flow.values import Json
from chalicelib.ports.documents import LONGEST_DOCUMENT

_LONGEST_NAME = 1000


def may_be_a_document(*names: str) -> bool:
    """Whether something can lie under these names at all: ASCII, not empty, short enough for every store."""
    return all(name and name.isascii() and len(name) <= _LONGEST_NAME for name in names)


def document_text(value: Mapping[str, Json], *names: str) -> str:
    """The value as it is kept: ASCII, compact; raises StoreError where it or its names cannot be kept."""
    if not may_be_a_document(*names):
        raise StoreError("A document's tenant, kind and key are ASCII, not empty, and no longer than 1,000 characters.")
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    if len(text) > LONGEST_DOCUMENT:
        raise StoreError(f"A document may have {LONGEST_DOCUMENT:,} bytes, and this one has {len(text):,}.")
    return text

"""Values on their way into a write: as text, and each text where its size says."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.engine.facts import in_base_36
from chalicelib.engine.messages import Start
from chalicelib.engine.packs import Outlook, Placement, place
from chalicelib.engine.records import Birth, Image
from chalicelib.errors import DeliveryConflictError
from chalicelib.ports import Blobs, Ids

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_encode_in_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


LARGEST_MESSAGE = 200_000
"""Bytes of input that a start message carries itself; beyond that a blob does. SQS takes 1 MiB in all, and a batch as
much together (API reference, SendMessage); DynamoDB packs and Lambda payloads are happier with less."""


def json_text(value: Any) -> str:
    """A value as compact JSON; a lone half of a character, which UTF-8 cannot carry, is written as an escape.

    Raises ValueError for NaN and infinities, RecursionError for what nests too deeply.
    """
    text = _encode(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _encode_in_ascii(value)
    return text


async def to_start(blobs: Blobs, tenant: str, execution: str, birth: Birth, text: str) -> Start:
    """A start message, its input in a blob where it is too large to travel along."""
    if (len(text) if text.isascii() else len(text.encode())) > LARGEST_MESSAGE:
        birth = replace(birth, input_pack="b" + await blobs.put(text.encode()))
        text = ""
    return Start(tenant, execution, birth, birth.started, text)


def pack_name(image: Image | None, ids: Ids) -> str:
    """A name for a pack of its own: short, since every fact it belongs to repeats it with every write of the record.

    The count of writes tells packs of one writer apart; the randomness (35 bits), those of two who write at once.
    """
    return f"p{in_base_36(image.rev if image is not None else 0)}{ids.token()[-7:]}"


class Packing:
    """The texts of one write: those that go into the record itself, and those that become items of their own."""

    __slots__ = ("_blobs", "_ids", "_image", "_outlook", "_taken", "inline", "packs", "weight")

    def __init__(self, image: Image | None, weight: int, outlook: Outlook, ids: Ids, blobs: Blobs) -> None:
        """`weight` is the record's size in bytes without these texts."""
        self.inline: dict[str, str] = {}
        self.packs: dict[str, str] = {}
        self.weight = weight
        self._image = image
        self._outlook = outlook
        self._taken: Mapping[str, str] = image.inline if image is not None else {}
        self._ids = ids
        self._blobs = blobs

    async def keep(self, text: str) -> str:
        """Put a text where its size says; return its name. A blob is durable before the write that names it."""
        size = len(text) if text.isascii() else len(text.encode())
        match place(size, self.weight, self._outlook):
            case Placement.INLINE:
                name = self._free_name()
                self.inline[name] = text
                self.weight += size
            case Placement.ITEM:
                name = pack_name(self._image, self._ids)
                self.packs[name] = text
            case Placement.BLOB:
                name = "b" + await self._blobs.put(text.encode())
        return name

    def _free_name(self) -> str:
        number = len(self._taken) + len(self.inline)
        while f"i{number}" in self._taken:
            number += 1
        return f"i{number}"


def refuse_another_body(image: Image, start: Start) -> None:
    """Under one delivery id the first body wins; raises DeliveryConflictError for another."""
    if image.birth is not None and image.birth.input_hash != start.birth.input_hash:
        raise DeliveryConflictError(
            f"Another body came under the same delivery id; execution {start.execution} stands for the first one."
        )

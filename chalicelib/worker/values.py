"""The values of settled steps: read once, remembered for the invocation."""

import json
from collections.abc import Iterable, Mapping
from typing import cast

from chalicelib.engine.facts import Done, How
from chalicelib.engine.packs import Entry, entry_from_json
from chalicelib.engine.records import Image, RecordKey
from chalicelib.errors import StoreError
from chalicelib.flow.values import Json
from chalicelib.ports import Blobs, Facts


class Values:
    """What the facts of one record stand for."""

    __slots__ = ("_blobs", "_facts", "_key", "_packs", "entries")

    def __init__(self, facts: Facts, blobs: Blobs, key: RecordKey) -> None:
        self._facts = facts
        self._blobs = blobs
        self._key = key
        self._packs: dict[str, dict[str, Json]] = {}
        self.entries: dict[str, Entry] = {}
        """By fact name: what this invocation computed, and what it read."""

    async def load(self, image: Image, facts: Mapping[str, Done]) -> None:
        """Read the entries of these facts, by fact name, unless they are known."""
        for name, done in facts.items():
            if name in self.entries or done.how is How.SKIPPED:
                continue
            if not done.pack:
                self.entries[name] = Entry(None, None, ())
                continue
            pack = await self.pack(image, done.pack)
            entry = pack.get(name)
            if not isinstance(entry, dict):
                raise StoreError(f"pack {done.pack} of execution {self._key.execution} says nothing of {name}")
            self.entries[name] = entry_from_json(entry)

    async def pack(self, image: Image, name: str) -> dict[str, Json]:
        """A pack as JSON, wherever it lies; raises StoreError where the store lost or garbled it."""
        known = self._packs.get(name)
        if known is None:
            text = await self._text(image, name)
            try:
                known = json.loads(text)
            except ValueError as error:
                raise StoreError(f"pack {name} of execution {self._key.execution} is not JSON") from error
            if not isinstance(known, dict):
                raise StoreError(f"pack {name} of execution {self._key.execution} is not an object")
            known = cast("dict[str, Json]", known)
            self._packs[name] = known
        return known

    def forget(self, names: Iterable[str]) -> None:
        """Values that another worker's facts have replaced."""
        for name in names:
            self.entries.pop(name, None)

    async def _text(self, image: Image, name: str) -> str:
        match name[0]:
            case "i":
                return image.inline[name]
            case "b":
                return (await self._blobs.get(name[1:])).decode()
            case _:
                return await self._facts.pack(self._key, name)

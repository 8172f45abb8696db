"""The records of executions in memory: `engine.conditions`, and nothing else."""

from collections.abc import Sequence

from chalicelib.adapters.listing import from_cursor, is_wanted, summary_of, to_cursor
from chalicelib.engine.conditions import allows, apply
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.writes import Answer, Applied, Commit, Refused, Write
from chalicelib.errors import NotFoundError
from chalicelib.ports import Listing, Page


class MemoryFacts:
    """Records by key; a write is atomic because nothing in it is awaited."""

    def __init__(self) -> None:
        self._images: dict[RecordKey, Image] = {}
        self._packs: dict[tuple[RecordKey, str], str] = {}

    async def write(self, write: Write) -> Answer:
        """Carry the write out whole, or bring the record back as it is."""
        image = self._images.get(write.key)
        if not allows(image, write):
            return Refused(image)
        if isinstance(write, Commit):
            self._packs.update({(write.key, name): text for name, text in write.packs.items()})
        after = self._images[write.key] = apply(image, write)
        return Applied(after)

    async def read(self, key: RecordKey) -> Image | None:
        """The record now."""
        return self._images.get(key)

    async def pack(self, key: RecordKey, name: str) -> str:
        """The text of a pack item; raises NotFoundError."""
        try:
            return self._packs[key, name]
        except KeyError:
            raise NotFoundError(f"execution {key.execution} has no pack {name}") from None

    async def page(self, listing: Listing) -> Page:
        """Executions, newest first."""
        found = [
            summary
            for key, image in self._images.items()
            if key.is_head and (summary := summary_of(image)) and is_wanted(key.tenant, summary, listing)
        ]
        found.sort(key=lambda each: (each.started, each.id), reverse=True)
        if listing.cursor is not None:
            behind = from_cursor(listing.cursor)
            found = [each for each in found if (each.started, each.id) < behind]
        items = found[: listing.limit]
        return Page(items, to_cursor(items[-1]) if len(found) > len(items) else None)

    async def due(self, now: int, limit: int) -> Sequence[RecordKey]:
        """Heads whose due entry is not after `now`, the earliest first."""
        heads = [
            image
            for key, image in self._images.items()
            if key.is_head and image.next_check is not None and image.next_check <= now
        ]
        heads.sort(key=lambda image: image.next_check or 0)
        return [image.key for image in heads[:limit]]

    async def unfinished(self, limit: int) -> Sequence[tuple[RecordKey, int]]:
        """Heads that still have a due entry, with their epoch; the earliest due first."""
        heads = [image for key, image in self._images.items() if key.is_head and image.next_check is not None]
        heads.sort(key=lambda image: image.next_check or 0)
        return [(image.key, image.epoch) for image in heads[:limit]]

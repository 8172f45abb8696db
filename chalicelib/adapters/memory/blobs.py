"""Bytes in memory, by their hash."""

import hashlib

from chalicelib.errors import NotFoundError


class MemoryBlobs:
    """What is put twice lies there once."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        """Keep them; return their name."""
        name = hashlib.sha256(content).hexdigest()
        self._contents.setdefault(name, content)
        return name

    async def get(self, name: str) -> bytes:
        """The bytes; raises NotFoundError."""
        try:
            return self._contents[name]
        except KeyError:
            raise NotFoundError(f"no blob is named {name}") from None

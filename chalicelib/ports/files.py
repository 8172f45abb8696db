"""Files that flows hand around, among the blobs: each is its tenant's, whoever else may know its name.

Blobs lie under the hash of their bytes, so that whoever knows some bytes, or was shown a name, could ask for them. A
file's bytes begin with a line that says whose they are: in another tenant's hands, or where the blob is no file at all
but what the engine keeps, the name leads to nothing.
"""

import re
from typing import Final

from chalicelib.errors import NotFoundError
from chalicelib.ports.world import Blobs

_NAME: Final = re.compile(r"[0-9a-f]{64}")


class Files:
    """A tenant's files; fulfils `Blobs` for whoever deals with files."""

    __slots__ = ("_blobs", "_head")

    def __init__(self, blobs: Blobs, tenant: str) -> None:
        self._blobs = blobs
        self._head = f"penstock file of {tenant}\n".encode()

    async def put(self, content: bytes) -> str:
        """Keep a file; return its name."""
        return await self._blobs.put(self._head + content)

    async def get(self, name: str) -> bytes:
        """The file; raises NotFoundError where the tenant has none of this name."""
        if _NAME.fullmatch(name):
            content = await self._blobs.get(name)
            if content.startswith(self._head):
                return content[len(self._head) :]
        raise NotFoundError(f"no file is named {name[:80]}")

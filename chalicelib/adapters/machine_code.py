"""Machine code of modules on disk, each with a tag that only this deployment can make.

Machine code is run as it is: what lies here and was not written with our key is never handed to the engine. Whoever can
change these files and has not the key gains nothing: such a file counts as none, and the module is compiled anew.
"""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

log = logging.getLogger("penstock.plugins")

_TAG_BYTES = 32
_CONTEXT = b"penstock machine code 1"
MOST_FILES = 64
"""The oldest are removed beyond that: they are only a shortcut."""


class MachineCode:
    """A folder of signed machine code, by the module's hash and the engine's version."""

    def __init__(self, folder: Path, fetch_key: Callable[[], Awaitable[bytes]]) -> None:
        """`fetch_key` fetches the deployment's own key, 32 bytes or more; from it the key of these tags is made."""
        self._folder = folder
        self._fetch_key = fetch_key
        self._key: bytes | None = None

    async def get(self, module: str) -> bytes | None:
        """The machine code of a module; None where there is none, or it was altered."""
        key = await self._tag_key()
        return await asyncio.to_thread(self._read, key, module)

    async def put(self, module: str, machine_code: bytes) -> None:
        """Keep it. Where that fails it is only not kept."""
        key = await self._tag_key()
        await asyncio.to_thread(self._write, key, module, machine_code)

    async def _tag_key(self) -> bytes:
        if self._key is None:
            self._key = hmac.digest(await self._fetch_key(), _CONTEXT, "sha256")
        return self._key

    def _path(self, module: str) -> Path:
        return self._folder / f"{module}.{version('wasmtime')}.code"

    def _read(self, key: bytes, module: str) -> bytes | None:
        try:
            content = self._path(module).read_bytes()
        except OSError:
            return None
        tag, machine_code = content[:_TAG_BYTES], content[_TAG_BYTES:]
        if hmac.compare_digest(tag, _tag(key, module, machine_code)):
            return machine_code
        log.warning("The compiled plugin %s was altered, or is another deployment's: it is compiled anew.", module[:12])
        return None

    def _write(self, key: bytes, module: str, machine_code: bytes) -> None:
        path = self._path(module)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(_tag(key, module, machine_code) + machine_code)
            draft.replace(path)
            kept = sorted(self._folder.glob("*.code"), key=lambda each: each.stat().st_mtime)
            for each in kept[:-MOST_FILES]:
                each.unlink(missing_ok=True)
        except OSError as error:
            log.warning("A compiled plugin cannot be kept in %s: %s.", self._folder, error.strerror)
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def _tag(key: bytes, module: str, machine_code: bytes) -> bytes:
    named = f"{module} {version('wasmtime')} ".encode()
    return hmac.digest(key, named + hashlib.sha256(machine_code).digest(), "sha256")

"""Master keys in a file of this machine: what AWS KMS is to a deployment there.

The file is JSON: `{"v": 1, "current": id, "keys": {id: 32 bytes as Base64}}`. Former keys stay in it, for what still
lies under them and for copies of the store; a new one is made by `renew`.
"""

import asyncio
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from chalicelib.adapters.private_file import read_private, write_private
from chalicelib.errors import SettingError
from chalicelib.vault.errors import MasterKeyUnknownError, SealBrokenError
from chalicelib.vault.keys import Wrapped
from chalicelib.vault.sealing import NONCE_BYTES, decrypt, encrypt

NAME: Final = "vault-key"
_BYTES: Final = 32
_SHORTEST_BLOB: Final = NONCE_BYTES + 16


class _Ring(NamedTuple):
    """The keys of a file, and the one that new data keys are wrapped under."""

    current: str
    keys: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"_Ring(current={self.current!r}, {len(self.keys)} keys)"


class VaultKeyFile:
    """Fulfils `vault.keys.KeyService` with a file, which is made when the first data key is wrapped."""

    def __init__(self, path: Path) -> None:
        """Take where the file lies, or will."""
        self.path = path
        self._ring: _Ring | None = None
        self._changing = asyncio.Lock()

    async def wrap(self, data_key: bytes, context: Mapping[str, str]) -> Wrapped:
        """The data key under the current master key."""
        # Read again: what is wrapped under a key that somebody took out of the file would be lost.
        ring = await asyncio.to_thread(_made, self.path)
        self._ring = self._ring or ring
        nonce = secrets.token_bytes(NONCE_BYTES)
        key = ring.current
        return Wrapped(key, nonce + encrypt(ring.keys[key], nonce, data_key, _bound(key, context)))

    async def unwrap(self, wrapped: Wrapped, context: Mapping[str, str]) -> bytes:
        """The data key; a file that another process has changed meanwhile is read again."""
        ring = await self._known()
        if ring is None or wrapped.key not in ring.keys:
            ring = self._ring = await asyncio.to_thread(_read, self.path)
        if ring is None:
            raise MasterKeyUnknownError(f"There is no {self.path}, which held the master key. Bring it back.")
        key = ring.keys.get(wrapped.key)
        if key is None:
            raise MasterKeyUnknownError(
                f"The credential is sealed under a master key that {self.path} does not hold. "
                "Bring the former file back, or set the credential again."
            )
        if len(wrapped.blob) < _SHORTEST_BLOB:
            raise SealBrokenError
        nonce, content = wrapped.blob[:NONCE_BYTES], wrapped.blob[NONCE_BYTES:]
        return decrypt(key, nonce, content, _bound(wrapped.key, context))

    async def rewrap(self, wrapped: Wrapped, context: Mapping[str, str]) -> Wrapped:
        """The same data key under the current master key."""
        ring = await self._known()
        if ring is not None and wrapped.key == ring.current:
            return wrapped
        return await self.wrap(await self.unwrap(wrapped, context), context)

    async def renew(self) -> str:
        """A new master key, current from now on and durable; its id. The former ones stay."""
        async with self._changing:
            self._ring = await asyncio.to_thread(_renewed, self.path)
        return self._ring.current

    async def _known(self) -> _Ring | None:
        if self._ring is None:
            self._ring = await asyncio.to_thread(_read, self.path)
        return self._ring


def _read(path: Path) -> _Ring | None:
    """The keys in the file; None without one. Raises SettingError where it is not private, or holds something else."""
    content = read_private(path)
    if content is None:
        return None
    try:
        # Not chained where it fails: what a reader complains of quotes the file.
        data: Any = json.loads(content)
        keys = {str(name): b64decode(text, validate=True) for name, text in data["keys"].items()}
        ring = _Ring(data["current"], keys)
        is_ours = data["v"] == 1 and ring.current in keys and all(len(key) == _BYTES for key in keys.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_ours, ring = False, _Ring("", {})
    if not is_ours:
        raise SettingError(
            f"{path} does not hold master keys as we write them. Bring a copy of the file back; without it the "
            "credentials cannot be opened, and must be set again once it is moved away."
        )
    return ring


def _made(path: Path) -> _Ring:
    """The keys in the file, with a first one if there was none; who comes second takes the first one's."""
    known = _read(path)
    if known is not None:
        return known
    ring = _with_new_key(_Ring("", {}))
    if write_private(path, _content(ring), may_replace=False):
        return ring
    return cast("_Ring", _read(path))


def _renewed(path: Path) -> _Ring:
    ring = _with_new_key(_read(path) or _Ring("", {}))
    write_private(path, _content(ring), may_replace=True)
    return ring


def _with_new_key(ring: _Ring) -> _Ring:
    name = f"master-{secrets.token_hex(6)}"
    return _Ring(name, {**ring.keys, name: secrets.token_bytes(_BYTES)})


def _content(ring: _Ring) -> bytes:
    keys = {name: b64encode(key).decode("ascii") for name, key in ring.keys.items()}
    return (json.dumps({"v": 1, "current": ring.current, "keys": keys}, indent=1) + "\n").encode("ascii")


def _bound(key: str, context: Mapping[str, str]) -> bytes:
    """The master key's name and the context, as one text for no two of them: a JSON array in ASCII."""
    return json.dumps(["penstock data key", 1, key, sorted(context.items())]).encode("ascii")

"""Master keys in memory, for houses that have no folder of their own."""

import json
import secrets
from collections.abc import Mapping

from chalicelib.vault.errors import MasterKeyUnknownError
from chalicelib.vault.keys import Wrapped
from chalicelib.vault.sealing import NONCE_BYTES, decrypt, encrypt


class MemoryKeys:
    """Fulfils `vault.keys.KeyService`."""

    def __init__(self) -> None:
        self.keys = {"first": secrets.token_bytes(32)}
        self.current = "first"

    async def wrap(self, data_key: bytes, context: Mapping[str, str]) -> Wrapped:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return Wrapped(self.current, nonce + encrypt(self.keys[self.current], nonce, data_key, bound(context)))

    async def unwrap(self, wrapped: Wrapped, context: Mapping[str, str]) -> bytes:
        key = self.keys.get(wrapped.key)
        if key is None:
            raise MasterKeyUnknownError
        return decrypt(key, wrapped.blob[:NONCE_BYTES], wrapped.blob[NONCE_BYTES:], bound(context))

    async def rewrap(self, wrapped: Wrapped, context: Mapping[str, str]) -> Wrapped:
        if wrapped.key == self.current:
            return wrapped
        return await self.wrap(await self.unwrap(wrapped, context), context)

    async def renew(self) -> str:
        self.current = f"key-{len(self.keys)}"
        self.keys[self.current] = secrets.token_bytes(32)
        return self.current


def bound(context: Mapping[str, str]) -> bytes:
    return json.dumps(sorted(context.items())).encode()

"""The resume links of a deployment: made with its key, which is fetched when the first one is needed."""

from collections.abc import Awaitable, Callable

from chalicelib.ports import Link
from chalicelib.signing.links import make_link, read_link

KINDS = {"callback": "callbacks", "approval": "approvals"}
"""By node: the part of the address before the link."""


class Links:
    """Makes and reads links. The key is never seen outside."""

    def __init__(self, fetch_key: Callable[[], Awaitable[bytes]], base_url: str) -> None:
        """`fetch_key` gives at least 32 random bytes, always the same; it may raise StoreError or SettingError."""
        self._fetch_key = fetch_key
        self._base_url = base_url
        self._key: bytes | None = None

    async def address(self, kind: str, link: Link) -> str:
        """Where a step of this kind (`callback` or `approval`) is answered."""
        place = (link.tenant, link.execution, link.part, link.step, link.path)
        return f"{self._base_url}/{KINDS[kind]}/{make_link(await self._fetched(), place)}"

    async def read(self, text: str) -> Link:
        """The link behind the last part of its address; raises LinkWrongError."""
        return Link(*read_link(await self._fetched(), text))

    async def _fetched(self) -> bytes:
        if self._key is None:
            self._key = await self._fetch_key()
        return self._key

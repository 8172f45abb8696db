"""Flow versions in memory."""

from collections.abc import Sequence

from chalicelib.errors import NotFoundError
from chalicelib.ports import Live, Version


class MemoryVersions:
    """Texts by hash, and the pointer to the one that is live."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], dict[str, tuple[str, Version]]] = {}
        self._live: dict[tuple[str, str], Live] = {}

    async def put(self, tenant: str, flow: str, version: str, text: str, now: int) -> None:
        """Store a version's canonical text; the same version again changes nothing."""
        self._texts.setdefault((tenant, flow), {}).setdefault(version, (text, Version(version, now)))

    async def text(self, tenant: str, flow: str, version: str) -> str:
        """A version's text; raises NotFoundError."""
        try:
            return self._texts[tenant, flow][version][0]
        except KeyError:
            raise NotFoundError(f"flow {flow} has no version {version}") from None

    async def history(self, tenant: str, flow: str) -> Sequence[Version]:
        """A flow's versions, newest first."""
        versions = [version for _, version in self._texts.get((tenant, flow), {}).values()]
        return sorted(versions, key=lambda each: (each.stored, each.version), reverse=True)

    async def live(self, tenant: str, flow: str) -> Live | None:
        """The pointer."""
        return self._live.get((tenant, flow))

    async def set_live(self, live: Live) -> bool:
        """Write the pointer if its `rev` still is `live.rev - 1` (absent for 1); False where somebody was quicker."""
        known = self._live.get((live.tenant, live.flow))
        if (known.rev if known else 0) != live.rev - 1:
            return False
        self._live[live.tenant, live.flow] = live
        return True

    async def flows(self, tenant: str) -> Sequence[Live]:
        """Every published flow, by name."""
        return sorted((live for live in self._live.values() if live.tenant == tenant), key=lambda live: live.flow)

"""Flow versions, understood once and remembered: a version never changes, a pointer may be a few seconds old."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Live, Versions
from chalicelib.worker.budget import to_milliseconds

if TYPE_CHECKING:
    from chalicelib.ports.plugins import Plugins

MOST_PLANS = 256


class RememberedPlans:
    """Plans by version, for as long as they are used; pointers for `pointer_age` milliseconds (5 s on Lambda)."""

    def __init__(
        self,
        versions: Versions,
        catalogue: Mapping[str, Json],
        clock: Clock,
        *,
        pointer_age: int = 5_000,
        plugins: "Plugins | None" = None,
    ) -> None:
        """`plugins` knows the nodes of the versions that flows pin; None: there are none here."""
        self._plugins = plugins
        self._versions = versions
        self._catalogue = catalogue
        self._clock = clock
        self._pointer_age = pointer_age
        self._plans: OrderedDict[tuple[str, str, str], Plan] = OrderedDict()
        self._pointers: dict[tuple[str, str], tuple[int, Live | None]] = {}
        self._flows: dict[str, tuple[int, Sequence[Live]]] = {}

    async def plan(self, tenant: str, flow: str, version: str) -> Plan:
        """The plan of a version; raises NotFoundError."""
        key = (tenant, flow, version)
        plan = self._plans.get(key)
        if plan is None:
            text = await self._versions.text(tenant, flow, version)
            data = json.loads(text)
            plan = make_plan(data, await self._catalogue_for(tenant, data))
            self._plans[key] = plan
            if len(self._plans) > MOST_PLANS:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        return plan

    async def _catalogue_for(self, tenant: str, data: Mapping[str, Json]) -> Mapping[str, Json]:
        """Our own nodes, and those of the plugins that the version pins."""
        pins = data.get("plugins")
        if self._plugins is None or not isinstance(pins, dict):
            return self._catalogue
        known = {name: pin for name, pin in pins.items() if isinstance(pin, str)}
        return {**await self._plugins.pinned(tenant, known), **self._catalogue}

    async def live(self, tenant: str, flow: str) -> Live | None:
        """The published version, as it is or was a moment ago."""
        now = to_milliseconds(self._clock.now())
        known = self._pointers.get((tenant, flow))
        if known is not None and now - known[0] < self._pointer_age:
            return known[1]
        live = await self._versions.live(tenant, flow)
        if len(self._pointers) >= MOST_PLANS:
            self._pointers.clear()
        self._pointers[tenant, flow] = (now, live)
        return live

    async def listeners(self, tenant: str, event: str) -> Sequence[Live]:
        """The enabled flows that listen to this, as they are or were a moment ago."""
        now = to_milliseconds(self._clock.now())
        known = self._flows.get(tenant)
        if known is None or now - known[0] >= self._pointer_age:
            known = self._flows[tenant] = (now, await self._versions.flows(tenant))
        return [live for live in known[1] if live.enabled and event in live.listens]

    def forget(self, tenant: str, flow: str) -> None:
        """Its pointer was written here: ask the store the next time."""
        self._pointers.pop((tenant, flow), None)
        self._flows.pop(tenant, None)

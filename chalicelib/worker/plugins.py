"""The plugins of each tenant: a small record of what is installed and granted, manifests and modules as blobs.

A version is pinned by the hash of its manifest, which names the hash of its module: neither can change. A flow that was
published with a version goes on with it, whatever is installed later; what it may do is asked at every call.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from chalicelib.errors import NotFoundError
from chalicelib.flow.values import Json
from chalicelib.ports import PLUGIN_LIMITS, Blobs, Document, Documents, Http, Sandbox, SandboxModule
from chalicelib.ports.plugins import Installed, PluginCall, Sent
from chalicelib.sandbox.errors import PluginMissingError, PluginNotGrantedError
from chalicelib.sandbox.manifest import SWITCHES, Asks, Manifest, read_stored, refused
from chalicelib.sandbox.package import read_package
from chalicelib.worker.plugin_host import KeyValueBusyError, PluginHost, forget_space

KIND: Final = "plugin"
MOST_PLUGINS: Final = 100
MOST_VERSIONS: Final = 200
_MOST_MANIFESTS = 256
_TRIES = 3


class Compiling(Sandbox, Protocol):
    """A sandbox that can be told of a module before it is called."""

    async def compile(self, module: SandboxModule) -> None:
        """Compile it now; raises ModuleRefusedError, ModuleTrappedError."""
        ...


@dataclass(slots=True)
class InstalledPlugins:
    """Fulfils `ports.plugins.Plugins`."""

    documents: Documents
    blobs: Blobs
    sandbox: Compiling
    http: Http
    _manifests: OrderedDict[str, Manifest] = field(default_factory=OrderedDict[str, Manifest])

    async def entries(self, tenant: str) -> Mapping[str, Json]:
        """As `ports.plugins.Plugins.entries`."""
        found: dict[str, Json] = {}
        for each in await self.all(tenant):
            found.update(each.manifest.entries(each.hash))
        return found

    async def pinned(self, tenant: str, pins: Mapping[str, str]) -> Mapping[str, Json]:
        """As `ports.plugins.Plugins.pinned`: removed plugins keep their versions, so that what ran can be looked at."""
        found: dict[str, Json] = {}
        for name, pin in pins.items():
            there = await self.documents.get(tenant, KIND, name)
            if there is not None and pin in _versions(there):
                found.update((await self._manifest(pin)).entries(pin))
        return found

    async def all(self, tenant: str) -> Sequence[Installed]:
        """As `ports.plugins.Plugins.all`."""
        there = await self.documents.page(tenant, KIND, most=MOST_PLUGINS + 1)
        return [await self._installed(each) for each in there if not each.value.get("removed")]

    async def get(self, tenant: str, name: str) -> Installed:
        """As `ports.plugins.Plugins.get`."""
        return await self._installed(await self._document(tenant, name))

    async def add(self, tenant: str, content: bytes, grant: Asks, now: int) -> Installed:
        """As `ports.plugins.Plugins.add`."""
        package = read_package(content)
        manifest = package.manifest
        _refuse_beyond(grant, manifest)
        await self.sandbox.compile(self._module(manifest, package.module))
        await self.blobs.put(package.module)
        text = json.dumps(manifest.to_json(), sort_keys=True, separators=(",", ":")).encode()
        pin = await self.blobs.put(text)
        for _ in range(_TRIES):
            there = await self.documents.get(tenant, KIND, manifest.name)
            if there is None and len(await self.documents.page(tenant, KIND, most=MOST_PLUGINS)) >= MOST_PLUGINS:
                raise refused(f"{MOST_PLUGINS} plugins are installed already")
            versions = {**_versions(there), pin: manifest.version} if there is not None else {pin: manifest.version}
            if len(versions) > MOST_VERSIONS:
                raise refused(f"{MOST_VERSIONS} versions of it were installed already: remove it first")
            had = _granted(there) if there is not None else Asks()
            granted = _joined(had, grant).within(manifest.asks)
            value = _value(pin, granted, now, versions)
            seen = there.rev if there is not None else None
            if await self.documents.put(tenant, KIND, manifest.name, value, seen=seen):
                return Installed(manifest, pin, granted, now, versions)
        raise KeyValueBusyError("Somebody else is changing this plugin. Look at it, then try again.")

    async def grant(self, tenant: str, name: str, more: Asks) -> Installed:
        """As `ports.plugins.Plugins.grant`."""
        return await self._change(tenant, name, more, lambda had: _joined(had, more), is_more=True)

    async def revoke(self, tenant: str, name: str, less: Asks) -> Installed:
        """As `ports.plugins.Plugins.revoke`."""
        return await self._change(tenant, name, less, lambda had: _without(had, less), is_more=False)

    async def remove(self, tenant: str, name: str) -> None:
        """As `ports.plugins.Plugins.remove`: a mark stays, with the versions there were."""
        for _ in range(_TRIES):
            there = await self._document(tenant, name)
            value = {**there.value, "granted": Asks().to_json(), "removed": True}
            if await self.documents.put(tenant, KIND, name, value, seen=there.rev):
                await forget_space(self.documents, tenant, name)
                return
        raise KeyValueBusyError("Somebody else is changing this plugin. Look at it, then try again.")

    async def call(self, call: PluginCall, sent: Sent) -> Mapping[str, Json]:
        """As `ports.plugins.Plugins.call`."""
        there = await self._document(call.tenant, call.plugin)
        if call.pin not in _versions(there):
            raise PluginMissingError(f"This version of the plugin `{call.plugin}` was never installed here.")
        manifest = await self._manifest(call.pin)
        granted = _granted(there).within(manifest.asks)
        seconds = min(call.seconds, PLUGIN_LIMITS.seconds)
        host = PluginHost(
            call.tenant,
            call.plugin,
            granted,
            sent,
            http=self.http,
            documents=self.documents,
            mask=call.mask,
            seconds=seconds,
        )
        context: dict[str, Json] = {
            "execution": call.execution,
            "step": call.step,
            "now": call.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "timezone": call.zone,
        }
        return await self.sandbox.call(
            self._module(manifest, None),
            {"node": call.node, "parameters": dict(call.parameters), "context": context},
            tenant=call.tenant,
            host=host,
            limits=replace(PLUGIN_LIMITS, seconds=seconds),
            wasi=granted.wasi,
            now_ns=int(call.now.timestamp() * 1000) * 1_000_000,
        )

    async def _change(
        self, tenant: str, name: str, asked: Asks, change: Callable[[Asks], Asks], *, is_more: bool
    ) -> Installed:
        for _ in range(_TRIES):
            there = await self._document(tenant, name)
            installed = await self._installed(there)
            if is_more:
                _refuse_beyond(asked, installed.manifest)
            granted = change(_granted(there))
            value = _value(installed.hash, granted, installed.added, installed.versions)
            if await self.documents.put(tenant, KIND, name, value, seen=there.rev):
                return replace(installed, granted=granted)
        raise KeyValueBusyError("Somebody else is changing this plugin. Look at it, then try again.")

    async def _document(self, tenant: str, name: str) -> Document:
        there = await self.documents.get(tenant, KIND, name)
        if there is None or there.value.get("removed"):
            raise PluginMissingError(
                f"There is no plugin `{name[:60]}` here. `penstock plugins list` shows those there are."
            )
        return there

    async def _installed(self, there: Document) -> Installed:
        pin, added = str(there.value["hash"]), there.value["added"]
        when = added if isinstance(added, int) else 0
        return Installed(await self._manifest(pin), pin, _granted(there), when, _versions(there))

    async def _manifest(self, pin: str) -> Manifest:
        known = self._manifests.get(pin)
        if known is None:
            known = self._manifests[pin] = read_stored(await self.blobs.get(pin))
            if len(self._manifests) > _MOST_MANIFESTS:
                self._manifests.popitem(last=False)
        return known

    def _module(self, manifest: Manifest, content: bytes | None) -> SandboxModule:
        async def load() -> bytes:
            if content is not None:
                return content
            try:
                return await self.blobs.get(manifest.sha256)
            except NotFoundError as error:
                raise PluginMissingError(
                    f"The module of the plugin `{manifest.name}` is gone. Add it again."
                ) from error

        return SandboxModule(manifest.sha256, manifest.name, load)


def _value(pin: str, granted: Asks, added: int, versions: Mapping[str, str]) -> dict[str, Json]:
    return {"hash": pin, "granted": granted.to_json(), "added": added, "versions": dict(versions)}


def _versions(there: Document) -> Mapping[str, str]:
    versions = there.value.get("versions")
    return {str(pin): str(version) for pin, version in versions.items()} if isinstance(versions, dict) else {}


def _granted(there: Document) -> Asks:
    granted = there.value.get("granted")
    return Asks.of(granted) if isinstance(granted, dict) else Asks()


def _joined(one: Asks, other: Asks) -> Asks:
    hosts = (*one.http, *(host for host in other.http if host not in one.http))
    return Asks(hosts, *(getattr(one, name) or getattr(other, name) for name in SWITCHES))


def _without(one: Asks, less: Asks) -> Asks:
    hosts = tuple(host for host in one.http if host not in less.http)
    return Asks(hosts, *(getattr(one, name) and not getattr(less, name) for name in SWITCHES))


def _refuse_beyond(asked: Asks, manifest: Manifest) -> None:
    """Refuse to grant what the manifest does not ask for."""
    beyond = _without(asked, manifest.asks)
    words = [*beyond.http, *(name for name in SWITCHES if getattr(beyond, name))]
    if words:
        raise PluginNotGrantedError(
            f"The plugin `{manifest.name}` does not ask for {', '.join(words)}: nothing changed."
        )

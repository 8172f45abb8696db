"""The installed plugins of a tenant, as a Protocol, and the values that cross it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chalicelib.flow.values import Json
from chalicelib.sandbox.manifest import Asks, Manifest


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin as it is installed.

    Attributes:
        manifest: of the version that flows published from now on use.
        hash: what pins that version: the SHA-256 of its manifest, which names the module's.
        granted: what it may do; never more than its manifest asks for.
        added: epoch milliseconds of this version.
        versions: every version that was ever installed here, by its hash: what was published with one goes on with it.
    """

    manifest: Manifest
    hash: str
    granted: Asks
    added: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PluginCall:
    """One call of a plugin's node, by a step."""

    tenant: str
    plugin: str
    """Its name."""
    pin: str
    """The hash of its version."""
    node: str
    parameters: Mapping[str, Json]
    execution: str
    step: str
    now: datetime
    zone: str
    seconds: float
    mask: Callable[[str], str] = str
    """Strikes the secrets of the execution out of what the plugin logs."""


@dataclass(slots=True)
class Sent:
    """What a call sent so far: `no`, `maybe` while an answer is awaited, `answered`, or `partly`: several were."""

    count: int = 0
    is_open: bool = False

    @property
    def word(self) -> str:
        """As `Failure.sent` has it."""
        if self.is_open:
            return "maybe"
        return "no" if not self.count else "answered" if self.count == 1 else "partly"


class Plugins(Protocol):
    """Plugins by tenant: what their nodes are, what they may, and their work."""

    async def entries(self, tenant: str) -> Mapping[str, Json]:
        """The nodes of every plugin that is installed, as the catalogue has them, by type."""
        ...

    async def pinned(self, tenant: str, pins: Mapping[str, str]) -> Mapping[str, Json]:
        """The nodes of these versions (hash by name), whatever is installed now; those never installed are left out."""
        ...

    async def all(self, tenant: str) -> Sequence[Installed]:
        """Every plugin that is installed, by name."""
        ...

    async def get(self, tenant: str, name: str) -> Installed:
        """One that is installed; raises PluginMissingError."""
        ...

    async def add(self, tenant: str, content: bytes, grant: Asks, now: int) -> Installed:
        """Install a package, or another version of it; it is compiled now, and keeps what it was granted before.

        Raises PackageRefusedError, ModuleRefusedError, PluginNotGrantedError; nothing is installed then.
        """
        ...

    async def grant(self, tenant: str, name: str, more: Asks) -> Installed:
        """Let it do more; raises PluginNotGrantedError for what it does not ask for, PluginMissingError."""
        ...

    async def revoke(self, tenant: str, name: str, less: Asks) -> Installed:
        """Let it do less, from its next call on; raises PluginMissingError."""
        ...

    async def remove(self, tenant: str, name: str) -> None:
        """Take it away, with what it kept; raises PluginMissingError. Its nodes fail from now on."""
        ...

    async def call(self, call: PluginCall, sent: Sent) -> Mapping[str, Json]:
        """Run a node: what `Sandbox.call` gives; raises as it does, and PluginMissingError. `sent` is kept true."""
        ...

"""Where a stranger's WebAssembly runs, as a Protocol, and the values that cross it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from chalicelib.flow.values import Json


@dataclass(frozen=True, slots=True)
class SandboxModule:
    """A core WebAssembly module that speaks the plugin ABI (docs/plugins.md).

    Attributes:
        hash: SHA-256 of its bytes, in hexadecimal; what `load` gives is held against it.
        name: what messages and log lines call it.
        load: fetches its bytes; called only where it is not compiled yet.
    """

    hash: str
    name: str
    load: Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one call may take. More than these defaults is for modules of our own."""

    seconds: float = 10.0
    """Wall clock, what the host does for it included."""
    fuel: int = 10_000_000_000
    """Instructions, about: wasmtime counts 1 for most of them. Ten billion are several seconds."""
    memory_bytes: int = 64 * 1024 * 1024
    """Linear memory, a multiple of 65,536."""
    request_bytes: int = 4_000_000
    answer_bytes: int = 4_000_000
    http_calls: int = 20
    kv_calls: int = 200
    log_lines: int = 200
    log_bytes: int = 100_000
    """Of all lines together; what is more is left out, and the last line says so."""


PLUGIN_LIMITS: Final = SandboxLimits()


class SandboxHost(Protocol):
    """What a module may ask of its host. A refusal is a PenstockError: its code and its sentence reach the guest."""

    async def http(self, asked: Mapping[str, Json]) -> Json:
        """One request, as docs/plugins.md words it; the answer that the guest is handed as `ok`."""
        ...

    async def kv(self, asked: Mapping[str, Json]) -> Json:
        """One operation on the plugin's own key-value space; what the guest is handed as `ok`."""
        ...

    def log(self, level: int, text: str) -> None:
        """One line: 0 debug, 1 info, 2 warning, 3 error."""
        ...


class Sandbox(Protocol):
    """Runs a module once, in a fresh instance, in a process that holds nothing of ours."""

    async def call(
        self,
        module: SandboxModule,
        request: Mapping[str, Json],
        *,
        tenant: str,
        host: SandboxHost | None = None,
        limits: SandboxLimits = PLUGIN_LIMITS,
        wasi: bool = False,
        now_ns: int = 0,
    ) -> Mapping[str, Json]:
        """Call `penstock_call` with this request, `{"node", "parameters", "context"}`; what it answered.

        That is `{"ok": value}` or `{"error": {"message", "retry", "code"}}`, exactly.

        Args:
            module: what to run.
            request: what it is asked.
            tenant: whose data that is: no process ever serves two tenants, or two modules.
            host: answers what it asks; None: every such call is answered `not_granted`, what it logs is dropped.
            limits: what the call may take.
            wasi: whether it may import the small part of WASI that docs/plugins.md names.
            now_ns: what its clock begins at, in nanoseconds since 1970.

        Raises:
            ModuleRefusedError: it is none that is run here; nothing of it was run.
            ModuleTrappedError: it ended at a limit, trapped, or answered what is no answer; `reason` among the facts.
            WorkerMishapError: the process could not do its work; another try may.
        """
        ...

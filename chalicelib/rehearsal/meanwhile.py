"""Programs in a rehearsal: run for real, in the sandbox, while virtual time stands still."""

import asyncio
import atexit
import threading
from collections.abc import Mapping
from functools import cache

from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.flow.values import Json
from chalicelib.ports import PLUGIN_LIMITS, SandboxHost, SandboxLimits, SandboxModule


class Meanwhile:
    """Fulfils `ports.Sandbox` on a loop of virtual time: the sandbox works in a thread, and the loop waits for it.

    A loop that only slept would let time jump to the step's time-out.
    """

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
        """As `ports.Sandbox.call`."""
        loop, sandbox = _thread()
        call = sandbox.call(module, request, tenant=tenant, host=host, limits=limits, wasi=wasi, now_ns=now_ns)
        return asyncio.run_coroutine_threadsafe(call, loop).result()


@cache
def _thread() -> tuple[asyncio.AbstractEventLoop, ProcessSandbox]:
    """One loop in one thread, for all rehearsals of this process; begun with the first program."""
    loop, sandbox = asyncio.new_event_loop(), ProcessSandbox()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()

    def end() -> None:
        asyncio.run_coroutine_threadsafe(sandbox.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    atexit.register(end)
    return loop, sandbox

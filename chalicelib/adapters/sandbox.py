"""Fulfils `ports.Sandbox`: a few helper processes, each for one tenant and one module, and what their guests ask.

A module is compiled once, in a process that ends afterwards and never runs it; what comes out of that is kept, signed,
by `machine_code`. A process that ran a guest is never given another module, nor another tenant's request.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from chalicelib.adapters.machine_code import MachineCode
from chalicelib.adapters.sandbox_helper import HelperStoppedError, SandboxHelper
from chalicelib.errors import PenstockError, WorkerMishapError
from chalicelib.flow.values import Json
from chalicelib.ports import PLUGIN_LIMITS, SandboxHost, SandboxLimits, SandboxModule
from chalicelib.sandbox.answers import NoAnswerError, read_answer, read_json
from chalicelib.sandbox.errors import ModuleRefusedError, ModuleTrappedError
from chalicelib.sandbox.module import look_at, refused

log = logging.getLogger("penstock.plugins")

MOST_HELPERS = 4
"""Processes at once; who comes later waits."""
MOST_CALLS = 500
"""A process is replaced after so many, whatever it still holds."""
COMPILE_PATIENCE_SECONDS = 60.0
LOAD_PATIENCE_SECONDS = 30.0
GRACE_SECONDS = 3.0
"""A call ends itself at its limit; so much later its process is ended."""

_ASKS = {"h": "http", "k": "kv"}


@dataclass(slots=True)
class _Place:
    """A helper with its module loaded."""

    helper: SandboxHelper
    calls: int = 0


class ProcessSandbox:
    """Made and used on one event loop; `close` ends every process."""

    def __init__(
        self, code: MachineCode | None = None, start: Callable[[], Awaitable[SandboxHelper]] = SandboxHelper.start
    ) -> None:
        """`code` keeps compiled modules; None: each life of this object compiles them. `start` starts a helper."""
        self._code = code
        self._start = start
        self._free = asyncio.Semaphore(MOST_HELPERS)
        self._idle: dict[tuple[str, str], list[_Place]] = {}
        self._all: set[SandboxHelper] = set()
        self._compiling: dict[str, asyncio.Lock] = {}
        self._remembered: dict[str, bytes] = {}
        self._is_closed = False

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
        content = json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
        if len(content) > limits.request_bytes:
            what = f"it was to be given {len(content):,} bytes, and {limits.request_bytes:,} is the most"
            raise _trapped(module, HelperStoppedError("request", what))
        asked = _Asked(module, host, limits)
        try:
            async with self._free:
                return await self._call(module, content, asked, tenant, wasi=wasi, now_ns=now_ns)
        except HelperStoppedError as error:
            raise _trapped(module, error) from error

    async def compile(self, module: SandboxModule) -> None:
        """Compile it now, so that no call waits for it; raises ModuleRefusedError, ModuleTrappedError."""
        try:
            await self._machine_code(module)
        except HelperStoppedError as error:
            raise _trapped(module, error) from error

    async def close(self) -> None:
        """End every process; who waits for one is told of a mishap."""
        self._is_closed = True
        ending, self._all, self._idle = self._all, set(), {}
        await asyncio.gather(*(helper.end() for helper in ending))

    async def _call(
        self, module: SandboxModule, content: bytes, asked: "_Asked", tenant: str, *, wasi: bool, now_ns: int
    ) -> Mapping[str, Json]:
        limits, key = asked.limits, (tenant, module.hash)
        place = await self._place(module, key)
        place.calls += 1
        try:
            answer = await place.helper.run(
                _allowance(limits, wasi=wasi, now_ns=now_ns),
                content,
                limits.answer_bytes,
                limits.seconds + GRACE_SECONDS,
                asked.answer,
                asked.log,
            )
        except BaseException:
            await self._done_with(place, key)
            raise
        await self._done_with(place, key)
        try:
            return read_answer(answer)
        except NoAnswerError as error:
            raise HelperStoppedError("answer", f"its answer is none: {error}") from error

    async def _done_with(self, place: _Place, key: tuple[str, str]) -> None:
        """Keep a process for the next call of the same module, if it can be used again."""
        if place.helper.is_alive and place.calls < MOST_CALLS and not self._is_closed:
            self._idle.setdefault(key, []).append(place)
        else:
            await self._drop(place.helper)

    async def _place(self, module: SandboxModule, key: tuple[str, str]) -> _Place:
        """A process with this module loaded: an idle one of its own, or a new one in the place of the longest idle."""
        waiting = self._idle.pop(key, [])
        while waiting:
            place = waiting.pop()
            if place.helper.is_alive:
                if waiting:
                    self._idle[key] = waiting
                return place
            await self._drop(place.helper)
        machine_code = await self._machine_code(module)
        while len(self._all) >= MOST_HELPERS and self._idle:
            oldest = next(iter(self._idle))
            places = self._idle[oldest]
            await self._drop(places.pop(0).helper)
            if not places:
                self._idle.pop(oldest, None)
        helper = await self._started()
        try:
            await helper.load(machine_code, LOAD_PATIENCE_SECONDS)
        except BaseException:
            await self._drop(helper)
            raise
        return _Place(helper)

    async def _machine_code(self, module: SandboxModule) -> bytes:
        """The module compiled: kept from before, or now; once, however many ask."""
        async with self._compiling.setdefault(module.hash, asyncio.Lock()):
            known = await self._code.get(module.hash) if self._code else self._remembered.get(module.hash)
            if known is None:
                known = await self._compiled(module)
                if self._code is not None:
                    await self._code.put(module.hash, known)
                else:
                    self._remembered[module.hash] = known
        return known

    async def _compiled(self, module: SandboxModule) -> bytes:
        content = await module.load()
        if hashlib.sha256(content).hexdigest() != module.hash:
            raise refused("its bytes are not those of its hash")
        look_at(content)
        helper = await self._started()
        try:
            return await helper.compile(content, COMPILE_PATIENCE_SECONDS)
        except HelperStoppedError as error:
            if error.reason in ("time", "memory"):
                raise refused(f"compiling it takes too much {error.reason}") from error
            raise
        finally:
            await self._drop(helper)

    async def _started(self) -> SandboxHelper:
        if self._is_closed:
            raise WorkerMishapError("the server is ending")
        helper = await self._start()
        self._all.add(helper)
        return helper

    async def _drop(self, helper: SandboxHelper) -> None:
        self._all.discard(helper)
        await helper.end()


class _Asked:
    """What one call's guest asks, counted here too: what a helper that was broken into counts is worth nothing."""

    def __init__(self, module: SandboxModule, host: SandboxHost | None, limits: SandboxLimits) -> None:
        self.limits = limits
        self._module = module
        self._host = host
        self._left = {"h": limits.http_calls, "k": limits.kv_calls}
        self._lines = limits.log_lines

    async def answer(self, kind: str, content: bytes) -> bytes:
        """The answer to an `http` or a `kv`, as JSON."""
        self._left[kind] -= 1
        if self._left[kind] < 0:
            raise ValueError("it asks more often than it says")
        try:
            asked = read_json(content)
        except NoAnswerError as error:
            return _error("bad_call", f"What was asked cannot be read: {error}.")
        if not isinstance(asked, dict):
            return _error("bad_call", "What was asked is no object.")
        if self._host is None:
            return _error("not_granted", f"The plugin was not granted `{_ASKS[kind]}`.")
        try:
            value = await (self._host.http(asked) if kind == "h" else self._host.kv(asked))
        except PenstockError as error:
            return _error(error.code, error.detail)
        return json.dumps({"ok": value}, separators=(",", ":")).encode()

    def log(self, level: int, text: str) -> None:
        self._lines -= 1
        if self._lines < 0:
            raise ValueError("it logs more than it says")
        if self._host is not None:
            self._host.log(level, text)


def _error(code: str, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message}}).encode()


def _allowance(limits: SandboxLimits, *, wasi: bool, now_ns: int) -> bytes:
    """What the helper reads as its `Allowance`."""
    said = {
        "seconds": limits.seconds,
        "fuel": limits.fuel,
        "memory_bytes": limits.memory_bytes,
        "answer_bytes": limits.answer_bytes,
        "calls": {"http": limits.http_calls, "kv": limits.kv_calls},
        "log_lines": limits.log_lines,
        "log_bytes": limits.log_bytes,
        "wasi": wasi,
        "now_ns": now_ns,
    }
    return json.dumps(said).encode()


def _trapped(module: SandboxModule, error: HelperStoppedError) -> ModuleRefusedError | ModuleTrappedError:
    if error.reason == "refused":
        return ModuleRefusedError(error.what if error.what.endswith(".") else f"{error.what}.")
    return ModuleTrappedError(f"`{module.name}` was stopped: {error.what}.", reason=error.reason)

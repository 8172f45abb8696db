"""One call of a guest: a fresh instance, its host functions, its answer. Whatever it does is that, or a `Stopped`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from wasmtime import (
    Caller,
    Engine,
    Func,
    FuncType,
    Instance,
    Linker,
    Memory,
    Module,
    Store,
    Trap,
    ValType,
    WasmtimeError,
)

from chalicelib.sandbox.abi import HOST, I32, I64, IMPORTS, INITIALIZE, VERSION, WASI, WASI_FUNCTIONS, Signature
from chalicelib.sandbox.engine import fresh_store, make_linker, why_trapped
from chalicelib.sandbox.errors import ModuleRefusedError
from chalicelib.sandbox.module import refused
from chalicelib.sandbox.wasi import SmallWasi, refusal_of

MOST_ASKED_BYTES: Final = 4_000_000
"""What a guest may say to its host at once."""

_LOW = 0xFFFFFFFF
_TYPES: Final = {I32: ValType.i32, I64: ValType.i64}


class Stopped(Exception):  # noqa: N818  what happened to the guest, not to us
    """The guest was stopped, or stopped itself."""

    def __init__(self, reason: str, what: str) -> None:
        """`reason` is a word for programs, `what` ends the sentence `It was stopped: ...`."""
        super().__init__(what)
        self.reason = reason
        self.what = what


class Outside(Protocol):
    """What answers a guest's asks: the server, behind the pipe."""

    def ask(self, kind: str, content: bytes) -> bytes:
        """The answer to an `http` or a `kv`, as JSON."""
        ...

    def log(self, level: int, text: str) -> None:
        """Pass a line on."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one call may take, and what it may reach; see `ports.SandboxLimits`."""

    seconds: float
    fuel: int
    memory_bytes: int
    answer_bytes: int
    calls: dict[str, int]
    """How many of each: `http`, `kv`."""
    log_lines: int
    log_bytes: int
    wasi: bool
    now_ns: int


class Guests:
    """Calls one module after the other's call is over: the functions it imports are made once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._current: _Call | None = None
        self._linkers: dict[bool, Linker] = {}

    def call(self, module: Module, allowance: Allowance, request: bytes, outside: Outside) -> bytes:
        """The module's answer, as it gave it; raises Stopped, and ModuleRefusedError where it does not link."""
        store = fresh_store(self._engine, allowance.memory_bytes, allowance.fuel, allowance.seconds)
        self._current = call = _Call(store, allowance, outside)
        try:
            instance = self._instance(module, store, wasi=allowance.wasi)
            return call.run(instance, request)
        except Trap as error:
            raise Stopped(*why_trapped(error)) from error
        finally:
            call.wasi.flush()
            self._current = None
            store.close()

    def _instance(self, module: Module, store: Store, *, wasi: bool) -> Instance:
        if not wasi and any(each.module == WASI for each in module.imports):
            raise refused("it imports WASI, which it was not granted")
        if wasi not in self._linkers:
            self._linkers[wasi] = self._linker(wasi=wasi)
        try:
            return self._linkers[wasi].instantiate(store, module)
        except WasmtimeError as error:
            said = str(error)
            if "minimum size" in said or "exceeds" in said or "memory" in said:
                raise Stopped("memory", "it needs more memory, or larger tables, than a call may have") from error
            raise refused(said.splitlines()[0][:200] if said else "it cannot be linked") from error

    def _linker(self, *, wasi: bool) -> Linker:
        linker = make_linker(self._engine)
        for name, signature in IMPORTS.items():
            self._define(linker, HOST, name, signature)
        for name, signature in WASI_FUNCTIONS.items() if wasi else ():
            self._define(linker, WASI, name, signature)
        return linker

    def _define(self, linker: Linker, module: str, name: str, signature: Signature) -> None:
        def called(caller: Caller, *given: int) -> int | None:
            if self._current is None:
                raise Stopped("trap", "it ran on after its call")
            return self._current.answer(caller, module, name, given)

        takes, gives = ([_TYPES[code]() for code in codes] for codes in signature)
        linker.define_func(module, name, FuncType(takes, gives), called, access_caller=True)


class _Call:
    """One call under way; what WASI sees of it too."""

    def __init__(self, store: Store, allowance: Allowance, outside: Outside) -> None:
        self._store = store
        self._allowance = allowance
        self._outside = outside
        self._caller: Caller | None = None
        self._left = dict(allowance.calls)
        self._lines = allowance.log_lines
        self._bytes = allowance.log_bytes
        self._is_filling = False
        self.wasi = SmallWasi(self, allowance.now_ns)
        self._wasi = self.wasi.functions

    def run(self, instance: Instance, request: bytes) -> bytes:
        exports = instance.exports(self._store)
        memory: Any = exports["memory"]
        functions: dict[str, Any] = {name: exports.get(name) for name in ("penstock_abi", INITIALIZE)}
        if functions[INITIALIZE] is not None:
            functions[INITIALIZE](self._store)
        version = functions["penstock_abi"](self._store)
        if version != VERSION:
            raise Stopped("abi", f"it speaks version {version} of the ABI, and this is {VERSION}")
        alloc: Any = exports["penstock_alloc"]
        offset = self._filled(self._store, memory, alloc, request)
        work: Any = exports["penstock_call"]
        packed = work(self._store, _signed(offset), len(request)) & 0xFFFFFFFFFFFFFFFF
        at, length = packed >> 32, packed & _LOW
        if length > self._allowance.answer_bytes:
            raise Stopped("answer", f"its answer has {length:,} bytes: more than {self._allowance.answer_bytes:,}")
        return _read(self._store, memory, at, length)

    def answer(self, caller: Caller, module: str, name: str, given: tuple[int, ...]) -> int | None:
        """What a host function gives; the guest stands still meanwhile."""
        if self._is_filling:
            raise Stopped("reentry", f"it called `{name}` while its host was filling in an answer")
        outer, self._caller = self._caller, caller
        try:
            if module == WASI:
                function = self._wasi.get(name)
                return refusal_of(name) if function is None else function(*given)
            if name == "log":
                level, at, length = given
                self.say(level, self.read(at & _LOW, min(length & _LOW, 16_384)).decode("utf-8", "replace"))
                return None
            return self._ask(caller, name, given[0] & _LOW, given[1] & _LOW)
        finally:
            self._caller = outer

    def _ask(self, caller: Caller, name: str, at: int, length: int) -> int:
        self._left[name] = self._left.get(name, 0) - 1
        if self._left[name] < 0:
            raise Stopped("host_calls", f"it called `{name}` more often than a call may")
        if length > MOST_ASKED_BYTES:
            raise Stopped("host_calls", f"it said {length:,} bytes at once: more than {MOST_ASKED_BYTES:,}")
        reply = self._outside.ask(name, self.read(at, length))
        offset = self._filled(caller, self._memory(), _function(caller, "penstock_alloc"), reply)
        packed = offset << 32 | len(reply)
        return packed - 2**64 if packed >= 2**63 else packed

    def _filled(self, store: Store | Caller, memory: Memory, alloc: Callable[..., int], content: bytes) -> int:
        """The offset at which the content stands now, in room that the guest gave."""
        self._is_filling = True
        try:
            offset = alloc(store, len(content)) & _LOW
        finally:
            self._is_filling = False
        _write(store, memory, offset, content)
        return offset

    def read(self, offset: int, length: int) -> bytes:
        return _read(self._caller or self._store, self._memory(), offset, length)

    def write(self, offset: int, content: bytes) -> None:
        _write(self._caller or self._store, self._memory(), offset, content)

    def say(self, level: int, text: str) -> None:
        """Pass a line on while there is room for it; then once that there was more."""
        if self._lines <= 0:
            return
        self._lines -= 1
        self._bytes -= len(text)
        if self._bytes < 0 or not self._lines:
            self._lines = 0
            text = "(more was logged than a call may; it was left out)"
        self._outside.log(min(max(level, 0), 3), text)

    def leave(self, code: int) -> None:
        raise Stopped("exit", f"it ended itself (proc_exit {code})")

    def _memory(self) -> Memory:
        found = self._caller["memory"] if self._caller is not None else None
        if not isinstance(found, Memory):
            raise Stopped("memory", "it has no memory")
        return found


def _function(caller: Caller, name: str) -> Func:
    found = caller[name]
    if not isinstance(found, Func):
        raise refused(f"it does not export `{name}`")
    return found


def _read(store: Store | Caller, memory: Memory, offset: int, length: int) -> bytes:
    if offset + length > memory.data_len(store):
        raise Stopped("memory", f"it named {length:,} bytes at {offset:,}, which lie beyond its memory")
    return bytes(memory.read(store, offset, offset + length)) if length else b""


def _write(store: Store | Caller, memory: Memory, offset: int, content: bytes) -> None:
    if offset + len(content) > memory.data_len(store):
        raise Stopped("memory", f"it gave room for {len(content):,} bytes at {offset:,}, which lies beyond its memory")
    if content:
        memory.write(store, content, offset)


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number


__all__ = ["Allowance", "Guests", "ModuleRefusedError", "Outside", "Stopped"]

"""The engine: wasmtime as it is set up here, compiling, and one call of a guest.

wasmtime is imported here and in `guest` alone, and both in a helper process alone. What is on and what is off is said
in so many words, so that a new release of the engine turns nothing on by itself.
"""

from typing import Final

from wasmtime import Config, Engine, Linker, Module, Store, Trap, TrapCode, WasmtimeError

from chalicelib.sandbox.errors import ModuleRefusedError
from chalicelib.sandbox.module import MOST_TABLE_ELEMENTS, MOST_TABLES, refused

STACK_BYTES: Final = 512 * 1024
TICK_SECONDS: Final = 0.01
"""How often time is looked at: a call ends so much late at most."""

_RESERVED_BYTES: Final = 64 * 1024 * 1024
"""Address space for a memory from the start; one that grows beyond it is moved."""

OFF: Final = (
    "simd",
    "relaxed_simd",
    "threads",
    "memory64",
    "multi_memory",
    "tail_call",
    "function_references",
    "gc",
    "exceptions",
    "stack_switching",
    "wide_arithmetic",
    "custom_page_sizes",
    "component_model",
    "component_model_map",
    "component_model_implements",
)
ON: Final = ("reference_types", "bulk_memory", "multi_value")
"""What compilers emit unasked: Clang and Rust since LLVM 20, AssemblyScript, Go."""


def make_engine() -> Engine:
    """An engine with every limit that belongs to it."""
    config = Config()
    for name in OFF:
        setattr(config, f"wasm_{name}", False)
    for name in ON:
        setattr(config, f"wasm_{name}", True)
    config.gc_support = False
    config.shared_memory = False
    config.strategy = "cranelift"
    config.parallel_compilation = False  # compiling is bounded as a whole: one thread, one share of memory
    config.consume_fuel = True
    config.epoch_interruption = True
    config.max_wasm_stack = STACK_BYTES
    config.memory_reservation = _RESERVED_BYTES
    config.memory_reservation_for_growth = 0
    config.memory_guard_size = 0  # every access is checked: a process of limited address space has no room for guards
    config.memory_may_move = True
    config.memory_init_cow = False  # it would need a file
    config.native_unwind_info = False
    return Engine(config)


def compile_module(engine: Engine, content: bytes) -> bytes:
    """A module as machine code; raises ModuleRefusedError where it is not valid, or uses what is off."""
    try:
        return bytes(Module(engine, content).serialize())
    except WasmtimeError as error:
        raise why_not(error) from error


def why_not(error: WasmtimeError) -> ModuleRefusedError:
    """What the engine has against a module, in its own words: its last sentence is the one that says it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[-1] if lines else "it is not valid"
    _, colon, after = said.partition(": ")
    return refused((after if colon and said[0].isdigit() else said)[:200].rstrip("."))


def load_module(engine: Engine, machine_code: bytes) -> Module:
    """Machine code that `compile_module` made: nothing else may ever be handed in, it is run as it is."""
    return Module.deserialize(engine, machine_code)


def fresh_store(engine: Engine, memory_bytes: int, fuel: int, seconds: float) -> Store:
    """A store for one call, with what it may take."""
    store = Store(engine)
    store.set_limits(memory_bytes, MOST_TABLE_ELEMENTS, 1, MOST_TABLES, 1)
    store.set_fuel(fuel)
    store.set_epoch_deadline(max(1, int(seconds / TICK_SECONDS)))
    return store


def make_linker(engine: Engine) -> Linker:
    """What a module's imports are looked up in; nothing stands there yet."""
    linker = Linker(engine)
    linker.allow_shadowing = False
    return linker


_TRAPS: Final = {
    TrapCode.OUT_OF_FUEL: ("fuel", "it took more instructions than a call may"),
    TrapCode.INTERRUPT: ("time", "it took longer than a call may"),
    TrapCode.STACK_OVERFLOW: ("stack", "its calls are nested too deeply"),
    TrapCode.MEMORY_OUT_OF_BOUNDS: ("memory", "it reached beyond its memory"),
    TrapCode.TABLE_OUT_OF_BOUNDS: ("table", "it reached beyond a table"),
    TrapCode.UNREACHABLE: ("unreachable", "it gave up (`unreachable`): most often a panic or an abort"),
    TrapCode.INTEGER_DIVISION_BY_ZERO: ("arithmetic", "it divided by zero"),
    TrapCode.INTEGER_OVERFLOW: ("arithmetic", "a number overflowed"),
    TrapCode.BAD_CONVERSION_TO_INTEGER: ("arithmetic", "a number cannot be converted"),
    TrapCode.INDIRECT_CALL_TO_NULL: ("table", "it called an empty place of a table"),
    TrapCode.BAD_SIGNATURE: ("table", "it called a function by another type than its own"),
}


def why_trapped(error: Trap) -> tuple[str, str]:
    """A trap's name, and the sentence that says it."""
    code = error.trap_code
    return _TRAPS.get(code, ("trap", "it trapped")) if code is not None else ("trap", "it trapped")

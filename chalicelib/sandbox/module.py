"""A look at a WebAssembly module before anything compiles it: is it one, of our kind, within the limits?

What stands in its functions is not read: the engine validates that, in a process of its own. What is read here is
bounded by the module's size, so that a server may do it itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from chalicelib.sandbox.abi import EXPORTS, HOST, IMPORTS, INITIALIZE, WASI, WASI_FUNCTIONS, Signature
from chalicelib.sandbox.errors import ModuleRefusedError

MOST_BYTES: Final = 16_000_000
MOST_FUNCTIONS: Final = 50_000
MOST_FUNCTION_BYTES: Final = 500_000
MOST_TABLE_ELEMENTS: Final = 20_000
MOST_TABLES: Final = 4
MOST_TYPES: Final = 10_000
MOST_NAMES: Final = 10_000
"""Imports, and exports."""
PAGE: Final = 65_536

_HEADER: Final = b"\0asm\x01\0\0\0"
_COMPONENT: Final = b"\0asm\x0d\0\x01\0"
_VALUE_TYPES: Final = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x70: "funcref"}
_OFF: Final = {0x7B: "SIMD", 0x6F: "external references", 0x69: "exceptions"}
_FUNCTION, _TABLE, _MEMORY = 0, 1, 2
_KINDS: Final = {_TABLE: "a table", _MEMORY: "a memory", 3: "a global", 4: "a tag"}


@dataclass(slots=True)
class Shape:
    """What can be said of a module without reading its functions."""

    types: list[Signature | None] = field(default_factory=list[Signature | None])
    imports: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    """Module, name and type of each function imported."""
    functions: list[int] = field(default_factory=list[int])
    """The type of each function of its own."""
    exports: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Kind and number by name."""
    memory_pages: int | None = None
    table_elements: int = 0

    @property
    def wants_wasi(self) -> bool:
        """Whether it imports anything of WASI."""
        return any(module == WASI for module, _, _ in self.imports)

    def type_of(self, function: int) -> Signature | None:
        """The type of a function by its number, imported ones first."""
        own = function - len(self.imports)
        number = self.imports[function][2] if own < 0 else self.functions[own] if own < len(self.functions) else -1
        return self.types[number] if 0 <= number < len(self.types) else None


def look_at(content: bytes) -> Shape:
    """A module's shape; raises ModuleRefusedError, which says what is wrong, for anything that is none of ours."""
    if len(content) > MOST_BYTES:
        raise refused(f"it has {len(content):,} bytes, and {MOST_BYTES:,} is the most")
    if content[:8] == _COMPONENT:
        raise refused("it is a component, and a core module is needed")
    if content[:8] != _HEADER:
        raise refused("it is no WebAssembly module of version 1")
    shape, reader = Shape(), _Reader(content, 8, len(content))
    seen: set[int] = set()
    while not reader.is_done:
        number, size = reader.byte(), reader.number()
        inner = reader.part(size)
        if number and number in seen:
            raise refused(f"section {number} stands there twice")
        seen.add(number)
        _read_section(shape, number, inner)
    _check(shape)
    return shape


def refused(why: str) -> ModuleRefusedError:
    """The error that says why a module is not run."""
    return ModuleRefusedError(f"The WebAssembly module is refused: {why}.")


def _read_section(shape: Shape, number: int, reader: "_Reader") -> None:
    if number == 13:
        raise refused("it uses exceptions, and that proposal is off")
    if number > 13:
        raise refused(f"there is no section {number}")
    if number in _SECTIONS:  # custom sections, globals, the start, elements, data: the engine reads them
        _SECTIONS[number](shape, reader)


def _types(shape: Shape, reader: "_Reader") -> None:
    shape.types = [_type(reader) for _ in range(reader.count(MOST_TYPES, "types"))]


def _imports(shape: Shape, reader: "_Reader") -> None:
    for _ in range(reader.count(MOST_NAMES, "imports")):
        _import(shape, reader)


def _functions(shape: Shape, reader: "_Reader") -> None:
    shape.functions = [reader.number() for _ in range(reader.count(MOST_FUNCTIONS, "functions"))]


def _tables(shape: Shape, reader: "_Reader") -> None:
    for _ in range(reader.count(MOST_TABLES, "tables")):
        _table(shape, reader)


def _exports(shape: Shape, reader: "_Reader") -> None:
    for _ in range(reader.count(MOST_NAMES, "exports")):
        name, kind, index = reader.name(), reader.byte(), reader.number()
        shape.exports[name] = (kind, index)


def _code(shape: Shape, reader: "_Reader") -> None:
    del shape
    for _ in range(reader.count(MOST_FUNCTIONS, "functions")):
        size = reader.number()
        if size > MOST_FUNCTION_BYTES:
            raise refused(f"a function has {size:,} bytes, and {MOST_FUNCTION_BYTES:,} is the most")
        reader.part(size)


def _type(reader: "_Reader") -> Signature:
    form = reader.byte()
    if form != 0x60:
        raise refused("it declares types that are no functions, and that proposal (garbage collection) is off")
    takes = tuple(_value_type(reader) for _ in range(reader.count(1_000, "parameters")))
    return Signature(takes, tuple(_value_type(reader) for _ in range(reader.count(1_000, "results"))))


def _value_type(reader: "_Reader") -> int:
    code = reader.byte()
    if code not in _VALUE_TYPES:
        raise refused(f"it uses {_OFF.get(code, 'types of a proposal')}, and that is off")
    return code


def _import(shape: Shape, reader: "_Reader") -> None:
    module, name, kind = reader.name(), reader.name(), reader.byte()
    called = f"`{module[:60]}.{name[:60]}`"
    if kind != _FUNCTION:
        raise refused(f"it imports {_KINDS.get(kind, 'something')}, {called}: only functions can be imported")
    if module not in (HOST, WASI):
        raise refused(f"it imports {called}; there are `{HOST}` and, with the grant, `{WASI}` alone")
    if name not in (IMPORTS if module == HOST else WASI_FUNCTIONS):
        raise refused(f"it imports {called}, which there is not")
    shape.imports.append((module, name, reader.number()))


def _table(shape: Shape, reader: "_Reader") -> None:
    code = reader.byte()
    if code not in _VALUE_TYPES:
        raise refused("it has a table of something else than functions")
    flags, least = reader.byte(), reader.number()
    if flags > 1:
        raise refused("it has a table of 64-bit or shared kind, and that proposal is off")
    if flags == 1:
        reader.number()
    shape.table_elements += least
    if shape.table_elements > MOST_TABLE_ELEMENTS:
        raise refused(f"its tables have {shape.table_elements:,} elements, and {MOST_TABLE_ELEMENTS:,} is the most")


def _memories(shape: Shape, reader: "_Reader") -> None:
    if reader.number() != 1:
        raise refused("it has not exactly one memory")
    flags = reader.byte()
    for bit, name in ((2, "threads (a shared memory)"), (4, "64-bit memory"), (8, "custom page sizes")):
        if flags & bit:
            raise refused(f"it uses {name}, and that proposal is off")
    shape.memory_pages = reader.number()
    if shape.memory_pages > PAGE:
        raise refused("its memory is larger than 4 GB")


_SECTIONS: Final[Mapping[int, Callable[[Shape, "_Reader"], None]]] = {
    1: _types,
    2: _imports,
    3: _functions,
    4: _tables,
    5: _memories,
    7: _exports,
    10: _code,
}


def _check(shape: Shape) -> None:
    """Whether it imports and exports what it should, in the right types."""
    known: Mapping[str, Mapping[str, Signature]] = {HOST: IMPORTS, WASI: WASI_FUNCTIONS}
    for module, name, number in shape.imports:
        given = shape.types[number] if number < len(shape.types) else None
        if given != known[module][name]:
            raise refused(f"it imports `{module}.{name}` with another type than docs/plugins.md says")
    kind, number = shape.exports.get("memory", (-1, 0))
    if kind != _MEMORY or number != 0 or shape.memory_pages is None:
        raise refused("it exports no memory of its own as `memory`")
    for name, wanted in EXPORTS.items():
        if name not in shape.exports:
            raise refused(f"it does not export `{name}`")
        kind, number = shape.exports[name]
        if kind != _FUNCTION or shape.type_of(number) != wanted:
            raise refused(f"it exports `{name}` with another type than docs/plugins.md says")
    kind, number = shape.exports.get(INITIALIZE, (_FUNCTION, -1))
    if INITIALIZE in shape.exports and (kind != _FUNCTION or shape.type_of(number) != Signature(())):
        raise refused(f"it exports `{INITIALIZE}` with another type than docs/plugins.md says")


class _Reader:
    """Reads the numbers and names of a part of a module."""

    __slots__ = ("_at", "_content", "_end")

    def __init__(self, content: bytes, at: int, end: int) -> None:
        self._content, self._at, self._end = content, at, end

    @property
    def is_done(self) -> bool:
        return self._at >= self._end

    def byte(self) -> int:
        if self._at >= self._end:
            raise refused("it ends in the middle")
        self._at += 1
        return self._content[self._at - 1]

    def number(self) -> int:
        """An unsigned number of 32 bits in LEB128."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 32:
                    break
                return value
        raise refused("it holds a number of more than 32 bits")

    def count(self, most: int, what: str) -> int:
        """How many things follow; never more than a module may have."""
        count = self.number()
        if count > most:
            raise refused(f"it has {count:,} {what}, and {most:,} is the most")
        return count

    def part(self, size: int) -> "_Reader":
        """The next bytes, to be read apart."""
        if size > self._end - self._at:
            raise refused("it ends in the middle")
        self._at += size
        return _Reader(self._content, self._at - size, self._at)

    def name(self) -> str:
        size = self.count(1_000, "characters in a name")
        part = self.part(size)
        try:
            return self._content[part._at : part._end].decode()  # noqa: SLF001  its own class
        except UnicodeDecodeError:
            raise refused("a name in it is no UTF-8") from None

"""A script of JavaScript as a plugin: the engine of code nodes, with the script written into it as data.

The engine's module exports a global, `penstock_script`: where eight bytes lie that say where a script begins and how
long it is, both zero as it is shipped. Here the memory is made larger by as many pages as the script needs, and two
data segments are added: the script, behind everything else, and those eight bytes. Nothing is compiled.
"""

from collections.abc import Iterator
from typing import Final

from chalicelib.sandbox.errors import ModuleRefusedError

PAGE_BYTES: Final = 65_536
MOST_SCRIPT_BYTES: Final = 2_000_000

_HEAD: Final = b"\0asm\1\0\0\0"
_MEMORY, _GLOBAL, _EXPORT, _DATA_COUNT, _DATA = 5, 6, 7, 12, 11
_I32_CONST, _END = 0x41, 0x0B
_SLOT: Final = b"penstock_script"


def with_script(module: bytes, script: str) -> bytes:
    """The engine with a script of its own; ModuleRefusedError where the script is too long, or the engine is none."""
    content = script.encode()
    if not 0 < len(content) <= MOST_SCRIPT_BYTES:
        raise ModuleRefusedError(f"A script has 1 to {MOST_SCRIPT_BYTES:,} bytes; this one has {len(content):,}.")
    try:
        return _written(module, content)
    except (IndexError, KeyError, ValueError) as error:
        raise ModuleRefusedError("The engine is none that a script can be written into. Install it again.") from error


def _written(module: bytes, script: bytes) -> bytes:
    sections = list(_sections(module))
    bodies = dict(sections)
    slot = _global_value(bodies[_GLOBAL], _exported_global(bodies[_EXPORT]))
    pages, memory = _grown(bodies[_MEMORY], len(script) + 1)
    start = pages * PAGE_BYTES
    place = start.to_bytes(4, "little") + len(script).to_bytes(4, "little")
    changed = {
        _MEMORY: memory,
        _DATA: _with_segments(bodies[_DATA], [(start, script + b"\0"), (slot, place)]),
    }
    if _DATA_COUNT in bodies:
        count, _ = _number(bodies[_DATA_COUNT], 0)
        changed[_DATA_COUNT] = _leb(count + 2)
    return _HEAD + b"".join(_section(kind, changed.get(kind, body)) for kind, body in sections)


def _sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Every section: its kind, and what is in it. Custom sections are left out: names, and notes of the compiler."""
    if not module.startswith(_HEAD):
        raise ValueError("no module")
    at = len(_HEAD)
    while at < len(module):
        kind = module[at]
        size, at = _number(module, at + 1)
        if at + size > len(module):
            raise ValueError("cut off")
        if kind != 0:
            yield kind, module[at : at + size]
        at += size


def _section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _leb(len(body)) + body


def _number(content: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _leb(value: int) -> bytes:
    """An unsigned LEB128 number."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _signed_leb(value: int) -> bytes:
    """A signed LEB128 number that is not negative."""
    out = bytearray()
    while value >= 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _exported_global(exports: bytes) -> int:
    """The index of the global that the module exports as the place of a script."""
    count, at = _number(exports, 0)
    for _ in range(count):
        length, at = _number(exports, at)
        name, kind = exports[at : at + length], exports[at + length]
        index, at = _number(exports, at + length + 1)
        if name == _SLOT and kind == 3:
            return index
    raise ValueError("exports no place of a script")


def _global_value(globals_: bytes, wanted: int) -> int:
    """The value of a global that is a constant i32."""
    count, at = _number(globals_, 0)
    for index in range(count):
        if globals_[at] != 0x7F or globals_[at + 2] != _I32_CONST:
            raise ValueError("a global of another type")
        value, at = _number(globals_, at + 3)  # an address is never negative: its sign bit is clear
        if globals_[at] != _END:
            raise ValueError("a global that is computed")
        at += 1
        if index == wanted:
            return value
    raise ValueError("no such global")


def _grown(memories: bytes, more: int) -> tuple[int, bytes]:
    """How many pages the one memory begins with, and the section with as many more as these bytes need."""
    count, at = _number(memories, 0)
    flags = memories[at]
    pages, _ = _number(memories, at + 1)
    if count != 1 or flags != 0:
        raise ValueError("a memory with a limit of its own")
    return pages, _leb(1) + b"\0" + _leb(pages + -(-more // PAGE_BYTES))


def _with_segments(data: bytes, segments: list[tuple[int, bytes]]) -> bytes:
    """The data section with more segments behind its own: the later one wins."""
    count, at = _number(data, 0)
    added = b"".join(
        b"\0" + bytes([_I32_CONST]) + _signed_leb(offset) + bytes([_END]) + _leb(len(content)) + content
        for offset, content in segments
    )
    return _leb(count + len(segments)) + data[at:] + added

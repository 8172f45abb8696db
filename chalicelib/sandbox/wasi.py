"""The small part of WASI preview 1 that toolchains cannot do without: clocks, random bytes, output into the log.

Everything else is there, so that a module links, and answers with an error: there are no files, no directories, no
sockets, no arguments and no environment.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

SUCCESS: Final = 0
BADF: Final = 8
INVAL: Final = 28
NOSYS: Final = 52
"""Error numbers (WASI preview 1, `errno`)."""

_MOST_RANDOM = 65_536
_MOST_VECTORS = 1_024
_LINE_BYTES = 4_096
_STDOUT, _STDERR = 1, 2
_REALTIME, _MONOTONIC = 0, 1
_CHARACTER_DEVICE = 2


class Instance(Protocol):
    """The running guest, as these functions see it."""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of its memory; traps where they are none."""
        ...

    def write(self, offset: int, content: bytes) -> None:
        """Bytes into its memory; traps where they do not fit."""
        ...

    def say(self, level: int, text: str) -> None:
        """A line of its log."""
        ...

    def leave(self, code: int) -> None:
        """End the call."""
        ...


class SmallWasi:
    """One call's WASI: its clock begins at the step's moment, what it writes is cut into lines."""

    def __init__(self, instance: Instance, now_ns: int) -> None:
        self._instance = instance
        self._now_ns = now_ns
        self._began = time.monotonic_ns()
        self._unsaid: dict[int, bytes] = {}

    @property
    def functions(self) -> Mapping[str, Callable[..., int | None]]:
        """Those that do something, by name."""
        return {
            "args_get": self._nothing,
            "environ_get": self._nothing,
            "args_sizes_get": self._no_sizes,
            "environ_sizes_get": self._no_sizes,
            "clock_res_get": self._resolution,
            "clock_time_get": self._time,
            "random_get": self._random,
            "fd_write": self._write,
            "fd_fdstat_get": self._status,
            "sched_yield": self._nothing,
            "proc_exit": self._exit,
        }

    def flush(self) -> None:
        """Say what was written without a line's end."""
        for descriptor, text in self._unsaid.items():
            if text:
                self._say(descriptor, text)
        self._unsaid.clear()

    def _nothing(self, *_: int) -> int:
        return SUCCESS

    def _no_sizes(self, count: int, size: int) -> int:
        self._put(count, 0)
        self._put(size, 0)
        return SUCCESS

    def _resolution(self, clock: int, at: int) -> int:
        del clock
        self._put(at, 1_000_000, 8)
        return SUCCESS

    def _time(self, clock: int, precision: int, at: int) -> int:
        del precision
        if clock not in (_REALTIME, _MONOTONIC):
            return INVAL
        passed = time.monotonic_ns() - self._began
        self._put(at, passed + (self._now_ns if clock == _REALTIME else 0), 8)
        return SUCCESS

    def _random(self, at: int, length: int) -> int:
        wanted = length & 0xFFFFFFFF
        if wanted > _MOST_RANDOM:
            return INVAL
        self._instance.write(at & 0xFFFFFFFF, os.urandom(wanted))
        return SUCCESS

    def _write(self, descriptor: int, vectors: int, count: int, written: int) -> int:
        if descriptor not in (_STDOUT, _STDERR):
            return BADF
        if not 0 <= count <= _MOST_VECTORS:
            return INVAL
        entries = self._instance.read(vectors & 0xFFFFFFFF, 8 * count)
        total, unsaid = 0, self._unsaid.get(descriptor, b"")
        for place in range(0, 8 * count, 8):
            length = int.from_bytes(entries[place + 4 : place + 8], "little")
            offset = int.from_bytes(entries[place : place + 4], "little")
            unsaid += self._instance.read(offset, min(length, _LINE_BYTES))
            total += length
        *lines, rest = unsaid.split(b"\n")
        for line in lines:
            self._say(descriptor, line)
        if len(rest) > _LINE_BYTES:
            self._say(descriptor, rest)
            rest = b""
        self._unsaid[descriptor] = rest
        self._put(written, total & 0xFFFFFFFF)
        return SUCCESS

    def _status(self, descriptor: int, at: int) -> int:
        """A character device without any right that is asked for (`fdstat`: 24 bytes)."""
        if not 0 <= descriptor <= _STDERR:
            return BADF
        self._instance.write(at & 0xFFFFFFFF, bytes([_CHARACTER_DEVICE]).ljust(24, b"\0"))
        return SUCCESS

    def _exit(self, code: int) -> None:
        self.flush()
        self._instance.leave(code)

    def _say(self, descriptor: int, text: bytes) -> None:
        self._instance.say(1 if descriptor == _STDOUT else 2, text[:_LINE_BYTES].decode("utf-8", "replace"))

    def _put(self, at: int, value: int, size: int = 4) -> None:
        self._instance.write(at & 0xFFFFFFFF, (value & (2 ** (8 * size) - 1)).to_bytes(size, "little"))


def refusal_of(name: str) -> int:
    """What a function that does nothing here answers with: of a descriptor that it is none, else that there is none."""
    return BADF if name.startswith(("fd_", "sock_")) else NOSYS

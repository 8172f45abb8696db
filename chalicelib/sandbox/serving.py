"""The work of the helper process: it compiles one module, or loads one and calls it, again and again.

What comes in: a frame that begins with a letter. `C` and a module: compile it. `L` and machine code: load it. `R` and
JSON: call it, with the request in the next frame. What goes out: `o` done (of `C` with the machine code), `r` an answer
as the guest gave it, `s` and JSON: stopped, or refused; and while a call is under way `h` and `k`: an `http` or a `kv`,
answered with a frame; `g`, a digit and a text: a line for the log.
"""

import contextlib
import json
import threading
import time
from collections.abc import Generator
from typing import BinaryIO, Final

from wasmtime import Engine, Module, WasmtimeError

from chalicelib.sandbox.confinement import arm, close_in
from chalicelib.sandbox.engine import TICK_SECONDS, compile_module, load_module, make_engine
from chalicelib.sandbox.errors import ModuleRefusedError
from chalicelib.sandbox.frames import HEADER_BYTES, framed, length_within
from chalicelib.sandbox.guest import Allowance, Guests, Stopped
from chalicelib.sandbox.module import look_at

MOST_FRAME_BYTES: Final = 160_000_000
"""Machine code is several times the module."""

COMPILE_SECONDS: Final = 20.0
"""Of processor time."""

_GRACE_SECONDS: Final = 2.0
"""Processor time beyond a call's own limit, which ends it first: then the process is ended."""


class Pipe:
    """Frames in and out; `Outside` for the guest."""

    def __init__(self, coming: BinaryIO, going: BinaryIO) -> None:
        self._coming = coming
        self._going = going

    def take(self) -> bytes | None:
        """The next frame; None where there are no more."""
        header = self._coming.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return None
        length = length_within(header, MOST_FRAME_BYTES)
        content = self._coming.read(length)
        return content if len(content) == length else None

    def give(self, letter: str, content: bytes = b"") -> None:
        self._going.write(framed(letter.encode() + content))
        self._going.flush()

    def ask(self, kind: str, content: bytes) -> bytes:
        self.give(kind[0], content)
        answer = self.take()
        if answer is None:
            raise SystemExit
        return answer

    def log(self, level: int, text: str) -> None:
        self.give("g", f"{level}{text}".encode(errors="replace"))


def serve(pipe: Pipe) -> None:
    """Do what is asked, until nothing more comes."""
    engine = make_engine()
    clock = _Clock(engine)
    work = _Work(engine, clock, pipe)
    close_in()
    pipe.give("o")
    while (asked := pipe.take()) is not None:
        letter, content = asked[:1], asked[1:]
        del asked
        try:
            work.do(letter, content)
        except Stopped as error:
            pipe.give("s", _said(error.reason, error.what))
        except ModuleRefusedError as error:
            pipe.give("s", _said("refused", error.detail))
        except MemoryError:
            pipe.give("s", _said("memory", "it needs more memory than there is"))
        finally:
            arm(0)


def _said(reason: str, what: str) -> bytes:
    return json.dumps({"reason": reason, "what": what}).encode()


class _Work:
    def __init__(self, engine: Engine, clock: "_Clock", pipe: Pipe) -> None:
        self._engine, self._clock, self._pipe = engine, clock, pipe
        self._guests = Guests(engine)
        self._module: Module | None = None

    def do(self, letter: bytes, content: bytes) -> None:
        match letter:
            case b"C":
                arm(COMPILE_SECONDS)
                look_at(content)
                self._pipe.give("o", compile_module(self._engine, content))
            case b"L":
                try:
                    self._module = load_module(self._engine, content)
                except WasmtimeError as error:
                    raise Stopped("stale", "the machine code is another engine's") from error
                self._pipe.give("o")
            case b"R":
                self._run(Allowance(**json.loads(content)))
            case _:
                raise SystemExit(f"there is no {letter!r}")

    def _run(self, allowance: Allowance) -> None:
        request = self._pipe.take()
        if request is None or self._module is None:
            raise SystemExit("there is nothing to run")
        arm(allowance.seconds + _GRACE_SECONDS)
        with self._clock.ticking():
            answer = self._guests.call(self._module, allowance, request, self._pipe)
        self._pipe.give("r", answer)


class _Clock:
    """Moves the engine's epoch on while a call is under way, from a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._goes = threading.Event()
        threading.Thread(target=self._tick, daemon=True).start()

    @contextlib.contextmanager
    def ticking(self) -> Generator[None]:
        self._goes.set()
        try:
            yield
        finally:
            self._goes.clear()

    def _tick(self) -> None:
        while self._goes.wait():
            time.sleep(TICK_SECONDS)
            self._engine.increment_epoch()

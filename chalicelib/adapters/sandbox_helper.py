"""A process that runs plugins, seen from the server: started, told, asked by its guest, ended.

`chalicelib.sandbox.process` is what runs in it, and `chalicelib.sandbox.serving` says the words of the pipe. What comes
out of it is a stranger's: bounded, and read as data.
"""

import asyncio
import contextlib
import json
import signal
from collections.abc import Awaitable, Callable

from chalicelib.adapters.helper_process import start_process
from chalicelib.errors import WorkerMishapError
from chalicelib.sandbox.frames import HEADER_BYTES, framed, length_within

START_SECONDS = 30.0
MOST_MACHINE_CODE_BYTES = 160_000_000

_DOES = "runs plugins"
_OWN_FAULT = {
    getattr(signal, name): said
    for name, said in (
        ("SIGPROF", ("time", "it took more processor time than it may")),
        ("SIGABRT", ("memory", "it needs more memory than there is")),
        ("SIGSEGV", ("crash", "the process that ran it ended")),
        ("SIGBUS", ("crash", "the process that ran it ended")),
        ("SIGILL", ("crash", "the process that ran it ended")),
        ("SIGTRAP", ("crash", "the process that ran it ended")),
    )
    if hasattr(signal, name)
}
"""What ends a helper for what it was given."""

Answering = Callable[[str, bytes], Awaitable[bytes]]
"""Answers a guest's `h` or `k`; raises HelperStoppedError where it may not ask any more."""
Logging = Callable[[int, str], None]


class HelperStoppedError(Exception):
    """The guest was stopped, or its module refused: a word for programs, and what ends the sentence."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason
        self.what = what


class SandboxHelper:
    """One process; it compiles or it runs one module, one call at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> "SandboxHelper":
        """Start a process, and return once it listens; raises WorkerMishapError where that cannot be."""
        helper = cls(await start_process("chalicelib.sandbox.process", _DOES))
        try:
            await helper._done(1, START_SECONDS)
        except HelperStoppedError as error:
            raise WorkerMishapError(f"the process that {_DOES} ended before it listened") from error
        return helper

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, as far as is known here."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def compile(self, content: bytes, seconds: float) -> bytes:
        """A module's machine code. Raises HelperStoppedError where the module is refused, or too much work."""
        return await self._told([b"C" + content], MOST_MACHINE_CODE_BYTES, seconds)

    async def load(self, machine_code: bytes, seconds: float) -> None:
        """Take what `compile` gave; nothing else may ever be handed in."""
        await self._told([b"L" + machine_code], 1, seconds)

    async def run(
        self, allowance: bytes, request: bytes, most: int, seconds: float, answering: Answering, logging: Logging
    ) -> bytes:
        """Call the module: its answer as it gave it. Raises HelperStoppedError, WorkerMishapError."""
        return await self._exchanged([b"R" + allowance, request], most, seconds, answering, logging)

    async def _told(self, frames: list[bytes], most: int, seconds: float) -> bytes:
        return await self._exchanged(frames, most, seconds, _nothing_asked, _nothing_logged)

    async def _done(self, most: int, seconds: float) -> None:
        await self._told([], most, seconds)

    async def _exchanged(
        self, frames: list[bytes], most: int, seconds: float, answering: Answering, logging: Logging
    ) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                for frame in frames:
                    await self._give(frame)
                return await self._answer(most, answering, logging)
        except HelperStoppedError:
            raise
        except TimeoutError as error:
            self.kill()
            raise HelperStoppedError("time", "it took longer than a call may") from error
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        except BaseException:
            self.kill()
            raise
        raise await self._ended()

    async def _answer(self, most: int, answering: Answering, logging: Logging) -> bytes:
        """Frame after frame, until one of them is the end."""
        while True:
            letter, content = await self._take(most)
            match letter:
                case "o" | "r":
                    return content
                case "s":
                    raise _stopped(content)
                case "h" | "k":
                    await self._give(await answering(letter, content))
                case "g":
                    logging(int(content[:1]), content[1:].decode("utf-8", "replace"))
                case _:
                    raise ValueError("there is no such frame")

    async def _take(self, most: int) -> tuple[str, bytes]:
        back = self._process.stdout
        if back is None:
            raise TypeError("the process was started with pipes")
        length = length_within(await back.readexactly(HEADER_BYTES), max(most, 4_000_000) + 1)
        content = await back.readexactly(length)
        return content[:1].decode("ascii"), content[1:]

    async def _give(self, content: bytes) -> None:
        to = self._process.stdin
        if to is None:
            raise TypeError("the process was started with pipes")
        to.write(framed(content))
        await to.drain()

    async def _ended(self) -> Exception:
        """Why it ended, once it has."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._process.wait()
        code = await self.end()
        if code < 0 and -code in _OWN_FAULT:
            return HelperStoppedError(*_OWN_FAULT[signal.Signals(-code)])
        return WorkerMishapError(f"the process that {_DOES} ended in between (exit code {code})")

    def kill(self) -> None:
        """End it at once; `end` waits for it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def end(self) -> int:
        """End it, and return its exit code once it has; it holds nothing that would have to be saved."""
        self.kill()
        return await self._process.wait()


def _stopped(content: bytes) -> HelperStoppedError:
    try:
        said = json.loads(content)
        return HelperStoppedError(str(said["reason"])[:40], str(said["what"])[:500])
    except (TypeError, KeyError) as error:
        raise ValueError("this is no frame") from error


async def _nothing_asked(kind: str, content: bytes) -> bytes:
    del kind, content
    raise ValueError("nothing runs that could ask")


def _nothing_logged(level: int, text: str) -> None:
    del level, text

"""A helper process, seen from the server: started, asked, ended.

It is started with nothing of the server's but its path of modules: no environment, no open file, no argument that says
more. `expression_process` is what runs in it.
"""

import asyncio
import contextlib
import signal

from chalicelib.adapters.expression_frames import length_of
from chalicelib.adapters.helper_process import start_process
from chalicelib.errors import WorkerMishapError
from chalicelib.sandbox.frames import HEADER_BYTES, framed

START_SECONDS = 30.0
"""How long a helper may take until it listens; a tenth of a second is usual."""

_OWN_FAULT = frozenset(
    getattr(signal, name) for name in ("SIGPROF", "SIGABRT", "SIGSEGV", "SIGBUS") if hasattr(signal, name)
)
"""What ends a helper for what it was asked: its processor time was over, it had no memory left, its stack was full."""


class TookTooMuchError(Exception):
    """The helper ended at a limit of its own, while it evaluated the expression at this place of the question."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class Helper:
    """One helper process; it answers one question at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._evaluated = 0

    @classmethod
    async def start(cls) -> "Helper":
        """Start a process, and return once it listens; raises WorkerMishapError where that cannot be."""
        process = await start_process("chalicelib.adapters.expression_process", "evaluates expressions")
        helper = cls(process)
        try:
            await helper.ask(None, START_SECONDS)
        except TookTooMuchError as error:
            raise WorkerMishapError("the process that evaluates expressions ended before it listened") from error
        return helper

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, as far as is known here."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(self, content: bytes | None, seconds: float) -> bytes:
        """One question, one answer; None asks nothing, and waits for the first frame. Whatever is raised, it is dead.

        Raises TookTooMuchError where a limit of its own ended it, WorkerMishapError where anything else did, or where
        it gave no answer in time.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(content)
        except TimeoutError as error:
            self.kill()
            said = f"the process that evaluates expressions gave no answer within {seconds:g} s, and was ended"
            raise WorkerMishapError(said) from error
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        except BaseException:
            self.kill()
            raise
        raise await self._ended()

    async def _exchange(self, content: bytes | None) -> bytes:
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise TypeError("the process was started with pipes")
        self._evaluated = 0
        if content is not None:
            to.write(framed(content))
            await to.drain()
        while not (length := length_of(await back.readexactly(HEADER_BYTES))):
            self._evaluated += 1  # an empty frame: one more expression is done with
        return await back.readexactly(length)

    async def _ended(self) -> Exception:
        """Why it ended, once it has."""
        # It is dead or dying where its pipe broke; where it wrote what is no frame, it is no use any more.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._process.wait()
        code = await self.end()
        if code < 0 and -code in _OWN_FAULT:
            return TookTooMuchError(self._evaluated)
        return WorkerMishapError(f"the process that evaluates expressions ended in between (exit code {code})")

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

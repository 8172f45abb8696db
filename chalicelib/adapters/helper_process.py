"""Starting a helper process: with nothing of the server's but its path of modules, and pipes alone."""

import asyncio
import os
import sys
from pathlib import Path

from chalicelib.errors import WorkerMishapError

_BEGIN = "import sys; sys.path[:] = sys.argv[1:]; from {} import main; main()"


async def start_process(module: str, does: str) -> asyncio.subprocess.Process:
    """A process in which the `main` of a module runs: no environment, no open file, no argument that says more.

    Raises WorkerMishapError, which says what it `does` (`evaluates expressions`), where that cannot be.
    """
    options = ["-I", "-B"] if sys.dont_write_bytecode else ["-I"]
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *options,
            "-c",
            _BEGIN.format(module),
            *_path(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # what an engine prints of a panic may quote data
            env=_environment(),
            cwd=Path(sys.executable).anchor,
        )
    except OSError as error:
        raise WorkerMishapError(f"the process that {does} cannot be started") from error


def _path() -> list[str]:
    """Where this process finds its modules; "" is its working directory, which is not the helper's."""
    return [os.path.abspath(each) for each in sys.path]  # noqa: PTH100  a path of an archive stays one


def _environment() -> dict[str, str]:
    """Nothing; but Windows starts no process without the place where it lies itself."""
    if sys.platform == "win32":
        return {"SYSTEMROOT": os.environ.get("SYSTEMROOT", "")}
    return {}

"""The helper process that runs plugins: its beginning, its limits, its end.

It is started with nothing of the server's: no environment, no open file, no argument but its path of modules. Where its
standard input ends, because the server closed it or is no more, it ends.
"""

import contextlib
import os
import signal
import sys
from typing import Final

from chalicelib.sandbox.confinement import limit_memory

MEMORY_BYTES: Final = 2 * 1024 * 1024 * 1024
"""Address space of the whole process: compiling a large module, such as one of Go's, takes most of it."""


def main() -> None:
    """Serve the pipes that the process was started with."""
    limit_memory(MEMORY_BYTES)
    with contextlib.suppress(ValueError, OSError):  # not the main thread; no such signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its helpers itself
    from chalicelib.sandbox.serving import Pipe, serve  # imported late: under the limit

    # Nothing but frames goes out: whatever else is written there goes where errors go.
    with os.fdopen(os.dup(1), "wb") as going, contextlib.suppress(BrokenPipeError):
        os.dup2(2, 1)
        serve(Pipe(sys.stdin.buffer, going))

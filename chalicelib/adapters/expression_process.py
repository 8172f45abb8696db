"""The helper process that evaluates expressions for a server: its beginning, its limits, its end.

It holds itself to its address space, so that no expression takes more (Linux alone honours that). Where its standard
input ends, because the server closed it or is no more, it ends.
"""

import contextlib
import os
import signal
import sys

from chalicelib.sandbox.confinement import limit_memory

MEMORY_BYTES = 512 * 1024 * 1024
"""Address space of the whole process."""


def main() -> None:
    """Serve the pipes that the process was started with."""
    limit_memory(MEMORY_BYTES)
    with contextlib.suppress(ValueError, OSError):  # not the main thread; no such signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its helpers itself
    # Imported late: the allocator of JSONata's engine reserves a gigabyte where it may.
    from chalicelib.adapters.expression_answers import send, serve

    # Nothing but frames goes out: whatever else is written there goes where errors go.
    with os.fdopen(os.dup(1), "wb") as answers_out, contextlib.suppress(BrokenPipeError):
        os.dup2(2, 1)
        send(answers_out, b"{}")
        serve(sys.stdin.buffer, answers_out)

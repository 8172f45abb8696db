"""Which event loop the embedded house runs on."""

import asyncio
from collections.abc import Callable


def quickest() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is there (it is not on Windows); None is the standard library's."""
    try:
        import uvloop  # imported late: who only asks for help needs no loop
    except ImportError:
        return None
    return uvloop.new_event_loop

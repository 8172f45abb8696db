"""What the interpreter is told when the embedded house runs in it: which event loop, and how often to stop for what."""

import asyncio
import gc
import sys
from collections.abc import Callable

SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter: with the default of 5 ms, the store's threads make requests wait."""

YOUNG_OBJECTS = 20_000
"""New objects between two looks for rubbish; Python's own 700 makes a look out of every other request."""


def settle() -> None:
    """Once everything is imported and open: what is there now stays, so no look for rubbish goes through it again."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)


def quickest() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is there (it is not on Windows); None is the standard library's."""
    try:
        import uvloop  # imported late: who only asks for help needs no loop
    except ImportError:
        return None
    return uvloop.new_event_loop

"""Loops cut small, so that three items meet everything that three thousand would."""

import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from chalicelib import worker
from chalicelib.engine import cut
from chalicelib.worker import parts

CHUNK, SHARD, PAGE = 2, 2, 2
INLINE_TURNS = 2
"""Items up to which a loop with effects runs in one invocation."""

_SMALL = {"CHUNK": (cut.CHUNK, CHUNK), "SHARD": (cut.SHARD, SHARD), "PAGE": (parts.PAGE, PAGE)}
_MODULES = [cut, *(import_module(f"chalicelib.worker.{each.name}") for each in pkgutil.iter_modules(worker.__path__))]
_PLACES = [
    (module, name, large, small)
    for module in _MODULES
    for name, (large, small) in _SMALL.items()
    if getattr(module, name, None) == large
]
"""Wherever one of these numbers is known."""


@contextmanager
def small() -> Iterator[None]:
    """Chunks of two items, shards of two marks, two rounds of a `repeat` to a record."""
    for module, name, _, value in _PLACES:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value, _ in _PLACES:
            setattr(module, name, value)

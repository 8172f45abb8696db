"""Makes an input small that shows a fault: takes away what it does not need."""

import random
from collections.abc import Callable
from typing import Final

_MOST_TRIES: Final = 2_000


def minimised(content: bytes, shows: Callable[[bytes], bool], dice: random.Random) -> bytes:
    """A short input that still shows the fault, found in a bounded number of tries.

    Halves, quarters and so on are taken away as long as that works; at last every byte by itself, and every byte that
    can be is made an `a`, so that what matters stands out.
    """
    tries = 0

    def still(candidate: bytes) -> bool:
        nonlocal tries
        tries += 1
        return tries <= _MOST_TRIES and candidate != content and shows(candidate)

    size = max(len(content) // 2, 1)
    while size >= 1 and tries < _MOST_TRIES:
        start, is_smaller = 0, False
        while start < len(content):
            candidate = content[:start] + content[start + size :]
            if still(candidate):
                content, is_smaller = candidate, True
            else:
                start += size
        if not is_smaller or size > 1:
            if size == 1:
                break
            size //= 2
    for at in dice.sample(range(len(content)), min(len(content), 200)):
        candidate = content[:at] + b"a" + content[at + 1 :]
        if content[at : at + 1] != b"a" and still(candidate):
            content = candidate
    return content

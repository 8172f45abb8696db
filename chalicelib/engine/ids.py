"""Names of executions and keys of requests: made from arguments alone, so that every worker makes the same."""

import hashlib
import json
from collections.abc import Sequence

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: no i, l, o, u (https://www.crockford.com/base32.html)."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_PAIRS = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)


def crockford(value: int) -> str:
    """128 bits as 26 characters; the first is 0 to 7."""
    pairs = _PAIRS
    return "".join([pairs[value >> shift & 1023] for shift in range(120, -1, -10)])


def ulid(milliseconds: int, randomness: bytes) -> str:
    """A ULID: 48 bits of time, then 80 bits of randomness (10 bytes). Text order is time order.

    Raises ValueError for other sizes (https://github.com/ulid/spec).
    """
    if len(randomness) != 10 or not 0 <= milliseconds < 1 << 48:
        raise ValueError("a ULID takes 48 bits of milliseconds and 10 bytes of randomness")
    return crockford(milliseconds << 80 | int.from_bytes(randomness, "big"))


def hashed_id(*parts: str) -> str:
    """The id that these parts always give: 128 bits of SHA-256 over their JSON array (design 9)."""
    text = _encode(parts)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return crockford(int.from_bytes(digest[:16], "big"))


def idempotency_key(execution: str, step: str, path: Sequence[int], ask: int, redrive: str = "") -> str:
    """What a service is told so that it acts once: never the attempt number (design 4.4).

    `path` is every enclosing loop turn and left out where there is none; `ask` is the ordinal of the request within
    the attempt; `redrive` is `r1` after the first redrive of a step that had definitely failed, and so on.
    """
    turns = f".{'.'.join(map(str, path))}" if path else ""
    again = f".{redrive}" if redrive else ""
    return f"{execution}.{step}{turns}.{ask}{again}"

"""Resume links: an address that answers one step of one execution, and that nobody can make up.

A link is the base64url of a JSON array [tenant, execution, part, step, path], a dot, and the first 128 bits of the
HMAC-SHA256 over that text, in base64url too. It names no secret; who has the link may use it, once.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import TypeAlias, cast

from chalicelib.errors import LinkWrongError

MAC_BYTES = 16
LONGEST = 1_000
"""Characters; ours are about 150."""

Place: TypeAlias = tuple[str, str, str, str, tuple[int, ...]]
"""Tenant, execution, part, step, path."""


def make_link(key: bytes, place: Place) -> str:
    """The text that stands for a step; the same one for the same step, always."""
    tenant, execution, part, step, path = place
    text = json.dumps([tenant, execution, part, step, list(path)], separators=(",", ":"))
    payload = _encoded(text.encode())
    return f"{payload}.{_mac(key, payload)}"


def read_link(key: bytes, text: str) -> Place:
    """The step behind a link; raises LinkWrongError for everything that `make_link` did not make with this key."""
    payload, dot, mac = text.partition(".")
    if not dot or len(text) > LONGEST or not text.isascii() or not hmac.compare_digest(mac, _mac(key, payload)):
        raise LinkWrongError
    try:
        parts: object = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error) as error:  # made with our key, and by no version of ours
        raise LinkWrongError from error
    if not isinstance(parts, list) or len(cast("list[object]", parts)) != 5:
        raise LinkWrongError
    *names, path = cast("list[object]", parts)
    turns = cast("list[object]", path) if isinstance(path, list) else [path, None]
    if not all(isinstance(name, str) for name in names) or not all(type(turn) is int for turn in turns):
        raise LinkWrongError
    tenant, execution, part, step = cast("list[str]", names)
    return tenant, execution, part, step, tuple(cast("list[int]", turns))


def _mac(key: bytes, payload: str) -> str:
    digest = hmac.new(key, b"penstock link 1\n" + payload.encode(), hashlib.sha256).digest()
    return _encoded(digest[:MAC_BYTES])


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")

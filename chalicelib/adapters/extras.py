"""What births and pointers came to say later: stored as one JSON object, in which what is as ever is left out.

So a record from before reads as if it said nothing of it, and one that has nothing to say of it is as it was before.
"""

import json
from dataclasses import replace
from typing import Any

from chalicelib.engine.records import Birth
from chalicelib.ports import Live


def birth_extras(birth: Birth) -> str:
    """The text of a birth's later fields; empty where there is nothing to say."""
    return _text({"depth": birth.depth, "lanes": birth.lanes})


def with_birth_extras(birth: Birth, text: str | None) -> Birth:
    """The birth with what its text says; raises ValueError or TypeError for a text that is none of ours."""
    if not text:
        return birth
    said: dict[str, Any] = json.loads(text)
    return replace(birth, depth=int(said.get("depth", 0)), lanes=tuple(said.get("lanes", ())))


def live_extras(live: Live) -> str:
    """The text of a pointer's later fields; empty where there is nothing to say."""
    return _text({"listens": live.listens, "paused": live.paused, "since": live.since})


def with_live_extras(live: Live, text: str | None) -> Live:
    """The pointer with what its text says; raises ValueError or TypeError for a text that is none of ours."""
    if not text:
        return live
    said: dict[str, Any] = json.loads(text)
    listens = tuple(said.get("listens", ()))
    return replace(live, listens=listens, paused=bool(said.get("paused")), since=int(said.get("since", 0)))


def _text(fields: dict[str, Any]) -> str:
    said = {name: value for name, value in fields.items() if value}
    return json.dumps(said, separators=(",", ":")) if said else ""

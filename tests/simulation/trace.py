"""A trace as people read it: one short line for each event."""

import hashlib
from collections.abc import Iterable
from typing import Any

from chalicelib.engine.facts import to_text
from chalicelib.engine.messages import Go, Send, Start
from chalicelib.engine.records import RecordKey
from chalicelib.engine.writes import Cancel, Commit
from chalicelib.ports import HttpRequest, Received
from tests.simulation.outside import ADDRESS

Line = tuple[int, str, str, Any]


def told(trace: Iterable[Line]) -> list[str]:
    return [f"{at / 1000:>10.3f}  {who:<6} {what:<18} {about_of(about)}".rstrip() for at, who, what, about in trace]


def hashed(trace: Iterable[Line]) -> str:
    """The same for the same trace, whatever the process that made it."""
    digest = hashlib.sha256()
    for line in told(trace):
        digest.update(line.encode())
    return digest.hexdigest()


def about_of(about: Any) -> str:
    match about:
        case None | "":
            return ""
        case Commit():
            return f"{place_of(about.key)} {commit_of(about)}"
        case Cancel():
            return f"{place_of(about.key)} cancel"
        case RecordKey():
            return place_of(about)
        case RecordKey() as key, str(name):
            return f"{place_of(key)} {name}"
        case HttpRequest():
            return f"{about.method} {about.url.removeprefix(ADDRESS)} {about.body.decode()[:80]}"
        case Received():
            return f"{about.handle} {message_of(about.message)}"
        case Received(), int(delay):
            return f"{about[0].handle} again in {delay} s"
        case tuple() if about and all(isinstance(each, Send) for each in about):
            return "; ".join(f"{message_of(each.message)} in {each.delay_seconds} s" for each in about)
        case tuple() if about and all(isinstance(each, Received) for each in about):
            return " ".join(each.handle for each in about)
        case bytes():
            return f"{len(about)} bytes"
        case _:
            return str(about)[:200]


def place_of(key: RecordKey) -> str:
    return key.execution[-6:] + (f"/{key.part}" if key.part else "")


def commit_of(write: Commit) -> str:
    parts = ["creates"] if write.birth is not None or write.creates else []
    parts += [f"{name}={to_text(put.fact)}" for name, put in write.puts.items()]
    parts += [f"-{name}" for name in sorted(write.removes)]
    if write.ending is not None:
        parts.append(f"ending:{write.ending.code}")
    if write.becomes is not None:
        parts.append(f"becomes:{write.becomes.word}")
    if write.finish is not None:
        parts.append(f"finish:{write.finish.status.word}")
    return " ".join(parts)


def message_of(message: Any) -> str:
    match message:
        case None:
            return "garbage"
        case Start():
            return f"start {message.execution[-6:]} {message.birth.flow}"
        case Go():
            return f"go {message.execution[-6:]} {','.join(message.steps)}"
        case _:
            more = f" {message.step} {message.index}" if hasattr(message, "index") else ""
            return f"{type(message).__name__.lower()} {message.execution[-6:]}{more}"

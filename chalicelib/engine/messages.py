"""Durable intents: what a queue carries. A message is small; what does not fit lies in a blob it names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.engine.records import Birth
from chalicelib.engine.shapes import flag, record, rows, text, whole
from chalicelib.flow.values import Json

MESSAGE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Start:
    """Create the execution if it is not there yet, and run it. May create until `born` + 14 days."""

    tenant: str
    execution: str
    birth: Birth
    born: int
    input: str
    """The text of {"trigger": ..., "inputs": ...}; empty where `birth.input_pack` names a blob."""


@dataclass(frozen=True, slots=True)
class Go:
    """Run these steps, then whatever that makes ready."""

    tenant: str
    execution: str
    epoch: int
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Run everything that is ready and held by nobody."""

    tenant: str
    execution: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Run one chunk of a wide `foreach`, and walk the ladder behind it (design 4.6)."""

    tenant: str
    execution: str
    epoch: int
    step: str
    index: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment of a schedule has come, to the second, where the host itself fires to the minute."""

    tenant: str
    execution: str
    """None: the id of the schedule's own record (`engine.ticking.schedule_id`)."""
    flow: str
    trigger: str
    at: int
    """The planned moment, in epoch milliseconds."""


Message: TypeAlias = Start | Go | Resume | Chunk | Tick


LONGEST_DELAY_SECONDS = 900
"""The longest that SQS holds a message back (API reference, SendMessage, DelaySeconds)."""


@dataclass(frozen=True, slots=True)
class Send:
    """A message, and how long the queue holds it back (at most LONGEST_DELAY_SECONDS)."""

    message: Message
    delay_seconds: int = 0


def to_json(message: Message) -> dict[str, Json]:
    """The message as JSON: `v`, `kind`, and its fields."""
    match message:
        case Start(tenant, execution, birth, born, input_text):
            return {
                "v": MESSAGE_VERSION,
                "kind": "start",
                "tenant": tenant,
                "execution": execution,
                "birth": birth_to_json(birth),
                "born": born,
                "input": input_text,
            }
        case Go(tenant, execution, epoch, steps):
            kind = {"v": MESSAGE_VERSION, "kind": "go"}
            return {**kind, "tenant": tenant, "execution": execution, "epoch": epoch, "steps": list(steps)}
        case Chunk(tenant, execution, epoch, step, index):
            kind = {"v": MESSAGE_VERSION, "kind": "chunk"}
            place: dict[str, Json] = {"tenant": tenant, "execution": execution, "epoch": epoch}
            return {**kind, **place, "step": step, "index": index}
        case Resume(tenant, execution, epoch):
            return {"v": MESSAGE_VERSION, "kind": "resume", "tenant": tenant, "execution": execution, "epoch": epoch}
        case Tick(tenant, execution, flow, trigger, at):
            kind = {"v": MESSAGE_VERSION, "kind": "tick"}
            return {**kind, "tenant": tenant, "execution": execution, "flow": flow, "trigger": trigger, "at": at}


def from_json(data: Json) -> Message:
    """The message behind JSON; raises ValueError for garbage or a version from the future."""
    try:
        return _from_record(record(data))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a message: {type(error).__name__} {error}") from error


def _from_record(data: Mapping[str, Json]) -> Message:
    if data["v"] != MESSAGE_VERSION:
        raise ValueError(f"message version {data['v']!r}; this code reads {MESSAGE_VERSION}")
    tenant, execution = text(data["tenant"]), text(data["execution"])
    match data["kind"]:
        case "start":
            birth = birth_from_json(record(data["birth"]))
            return Start(tenant, execution, birth, whole(data["born"]), text(data["input"]))
        case "go":
            return Go(tenant, execution, whole(data["epoch"]), tuple(text(each) for each in rows(data["steps"])))
        case "resume":
            return Resume(tenant, execution, whole(data["epoch"]))
        case "chunk":
            index = whole(data["index"])
            if index < 0:
                raise ValueError(f"chunk {index}")
            return Chunk(tenant, execution, whole(data["epoch"]), text(data["step"]), index)
        case "tick":
            return Tick(tenant, execution, text(data["flow"]), text(data["trigger"]), whole(data["at"]))
        case kind:
            raise ValueError(f"message kind {kind!r}")


def birth_to_json(birth: Birth) -> dict[str, Json]:
    """A birth as JSON, under the short names that the head uses too."""
    return {
        "flow": birth.flow,
        "version": birth.version,
        "trigger": birth.trigger,
        "started": birth.started,
        "input_pack": birth.input_pack,
        "input_hash": birth.input_hash,
        "deadline": birth.deadline,
        "parent": birth.parent,
        "retry_of": birth.retry_of,
        "keyed": birth.keyed,
        "depth": birth.depth,
        "lanes": list(birth.lanes),
    }


def birth_from_json(data: Mapping[str, Json]) -> Birth:
    """A birth from JSON; raises KeyError or TypeError for anything else."""
    return Birth(
        flow=text(data["flow"]),
        version=text(data["version"]),
        trigger=text(data["trigger"]),
        started=whole(data["started"]),
        input_pack=text(data["input_pack"]),
        input_hash=text(data["input_hash"]),
        deadline=whole(data["deadline"]),
        parent=text(data["parent"]),
        retry_of=text(data["retry_of"]),
        keyed=flag(data["keyed"]),
        depth=whole(data.get("depth", 0)),
        lanes=tuple(text(each) for each in rows(data.get("lanes", []))),
    )

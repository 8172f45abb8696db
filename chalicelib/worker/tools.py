"""What the worker is handed: ports, and the few settings it heeds."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from chalicelib.engine.records import Image
from chalicelib.flow.values import Json
from chalicelib.ports import Blobs, Clock, Credentials, Evaluator, Facts, Http, Ids, Plans, Queue, Sandbox

if TYPE_CHECKING:
    from chalicelib.kit.values import Outcome
    from chalicelib.ports.plugins import Plugins
    from chalicelib.worker.links import Links
    from chalicelib.worker.prepared import Prepared, Surroundings

if TYPE_CHECKING:  # a node brings pydantic, which who only accepts a delivery does not need
    from chalicelib.kit.action import Action, Control, Trigger

Build: TypeAlias = "Callable[[str, Mapping[str, Json]], Action | Control | Trigger]"
"""Makes a node of its type and parameters; raises ParameterError, NodeUnknownError."""

StandIn: TypeAlias = "Callable[[Prepared, Surroundings, int], Awaitable[Outcome | None]]"
"""Told what a step would do, where, and the number of the attempt."""


def _tell_nobody(image: Image) -> None:
    """Nobody in this process waits."""
    del image


def _answer_nobody(execution: str, value: Json) -> None:
    """Nobody in this process waits."""
    del execution, value


Remembered: TypeAlias = OrderedDict[tuple[str, str, str], tuple[Sequence[Json], Sequence[int]]]
"""By tenant, execution, and the loop with its pack: items and their sizes."""


def _nothing_yet() -> Remembered:
    return OrderedDict()


@dataclass(frozen=True, slots=True)
class Settings:
    """The few numbers that a deployment may change."""

    boot: int = 0
    """Which life of the embedded server this is; 0 on AWS."""
    base_url: str = "http://127.0.0.1:8700"
    """Where this deployment is reached, without a slash at the end."""
    answer_limit_bytes: int = 10_000_000
    invocation_seconds: float = 840.0
    """How long one invocation may work where nothing else limits it (Lambda's most is 900 s)."""
    inline_wait_seconds: float = 2.0
    """A wait or a retry up to this long is slept through; a longer one goes through the queue."""
    inline_turns: int = 20
    """A `foreach` with effects or waits of up to so many items runs in one invocation; a longer one is cut."""
    retention_seconds: float = 90 * 86_400.0
    """How long an ended execution is kept, where the flow says nothing."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything the worker reaches the world with."""

    clock: Clock
    ids: Ids
    facts: Facts
    queue: Queue
    blobs: Blobs
    http: Http
    credentials: Credentials
    evaluator: Evaluator
    plans: Plans
    build: Build
    settings: Settings = field(default_factory=Settings)
    announce: Callable[[Image], None] = _tell_nobody
    """Told of every execution that ends here; for whoever waits in this process."""
    stand_in: "StandIn | None" = None
    """Asked before a step acts: its outcome, or None where the step acts itself. For tests of flows."""
    links: "Links | None" = None
    """Makes and reads resume links; None where nobody could use one."""
    respond: Callable[[str, Json], None] = _answer_nobody
    """Told, by execution, what a `respond` step said, once that is recorded; for whoever waits in this process."""
    plugins: "Plugins | None" = None
    """Runs the nodes of plugins; None where none run."""
    sandbox: Sandbox | None = None
    """Where WebAssembly runs; None where nothing of the kind may."""
    remembered: Remembered = field(default_factory=_nothing_yet)
    """The items of the wide loops that were worked on last; what is recorded of them never changes."""

"""What is stored of an execution: its head, and how it was born."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.engine.facts import Fact


class Status(StrEnum):
    """Where an execution stands (design 4.2)."""

    QUEUED = "Q"
    RUNNING = "R"
    PAUSED = "P"
    ENDING = "E"
    SUCCEEDED = "S"
    FAILED = "F"
    CANCELLED = "C"
    TIMED_OUT = "T"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows any more."""
        return self in {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT}

    @property
    def word(self) -> str:
        """The word the API and the command line use: `succeeded`, `timed_out`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class RecordKey:
    """One record: the head of an execution (`part` empty), or one of the records that its loops keep.

    A loop in one invocation keeps its body's facts in chunk 0 of its outermost loop: `part` is `<step>`, which the
    table adapter writes as `E#<id>#J#<step>@#0` / `B#0`. A wide loop has `<step>/b<i>` for its chunks, `<step>/s<n>`
    for the shards of marks and `<step>/r` for their root. A lane is the record `lane` of an execution that is none: its
    id is the hash of the lane's key.
    """

    tenant: str
    execution: str
    part: str = ""

    @property
    def is_head(self) -> bool:
        """Whether this is the execution itself."""
        return not self.part


@dataclass(frozen=True, slots=True)
class Birth:
    """What never changes about an execution. Times are epoch milliseconds."""

    flow: str
    version: str
    trigger: str
    """The trigger's id; empty where it was started with inputs alone."""
    started: int
    input_pack: str
    """Where {"trigger": ..., "inputs": ...} lies."""
    input_hash: str
    """SHA-256 of the delivery's body and path: another body under the same key is a conflict."""
    deadline: int = 0
    parent: str = ""
    """Of the call that started it: `<execution>.<step>`; `<execution>.<step>.<part>` where that one waits for the end,
    `part` being the record whose message wakes it (empty: the head)."""
    retry_of: str = ""
    keyed: bool = False
    """Its id is a hash of a delivery key: a second start is the same execution."""
    depth: int = 0
    """How many calls lie above it."""
    lanes: tuple[str, ...] = ()
    """The lanes it must have a place in while it runs, each `<cap>:<hash of the lane's key>`, in the order to take."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an execution is ending, or ended, other than well."""

    how: Status
    """FAILED, CANCELLED or TIMED_OUT: what it becomes."""
    step: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Image:
    """One consistent look at a record."""

    key: RecordKey
    status: Status
    epoch: int
    rev: int
    """Count of its writes."""
    birth: Birth | None
    """None on a loop's record."""
    facts: Mapping[str, Fact]
    """By attribute name (`engine.facts.fact_name`)."""
    inline: Mapping[str, str] = field(default_factory=dict[str, str])
    """Packs that lie in the record itself, by name, as text."""
    busy: int = 0
    """When the invocation working on it must be over."""
    next_check: int | None = None
    """The earliest moment that could need a look (`gs`); None once ended and everybody told."""
    reason: Reason | None = None
    output_pack: str = ""
    ended: int = 0
    size: int = 0
    """About how many bytes the record holds."""

"""What we need from the world, as Protocols, and the values that cross them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from chalicelib.engine.messages import Message, Send
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.engine.writes import Answer, Write
from chalicelib.flow.moment import Moment
from chalicelib.flow.paths import Missing
from chalicelib.flow.plan import Plan
from chalicelib.flow.templates import Expression
from chalicelib.flow.values import Json


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        ...


class Ids(Protocol):
    """Names nobody else has."""

    def execution(self, now: datetime) -> str:
        """A new execution's id: 26 lower-case Crockford characters, ordered by time (a ULID)."""
        ...

    def token(self) -> str:
        """A fencing token or a hook's path token: 26 characters, unguessable."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """An execution in a listing. Times are epoch milliseconds; `ended` is 0 while it has not."""

    id: str
    flow: str
    version: str
    status: Status
    trigger: str
    started: int
    ended: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What to list: newest first. `since` and `until` bound the start, in epoch milliseconds."""

    tenant: str
    flow: str | None = None
    status: Status | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; `cursor` continues it, None at its end."""

    items: Sequence[Summary]
    cursor: str | None


class Facts(Protocol):
    """The records of executions."""

    async def write(self, write: Write) -> Answer:
        """Carry the write out whole or not at all; return once it is durable.

        Raises TimedOutError or CutOffError where nobody knows whether it took place: look at the image, your own token
        or value there means it did. Raises StoreError where it certainly did not.
        """
        ...

    async def read(self, key: RecordKey) -> Image | None:
        """The record now, strongly consistent; None where there is none."""
        ...

    async def pack(self, key: RecordKey, name: str) -> str:
        """The text of a pack item (a name beginning with `p`); raises NotFoundError."""
        ...

    async def page(self, listing: Listing) -> Page:
        """Executions, newest first, without a scan; may lag a moment behind the writes."""
        ...

    async def due(self, now: int, limit: int) -> Sequence[RecordKey]:
        """Heads whose due entry is not after `now` (epoch milliseconds), the earliest first; may lag a little."""
        ...

    async def unfinished(self, limit: int) -> Sequence[tuple[RecordKey, int]]:
        """Heads that still have a due entry, with their epoch: what an earlier life may have left behind."""
        ...


@dataclass(frozen=True, slots=True)
class Live:
    """A flow's published version. Times are epoch milliseconds."""

    tenant: str
    flow: str
    version: str
    enabled: bool
    published: int
    rev: int
    """Count of writes to this pointer: the next one names the one it saw."""
    tokens: Mapping[str, str] = field(default_factory=dict[str, str])
    """Unguessable path tokens of triggers that verify nothing, by trigger id; they survive publishing."""
    listens: tuple[str, ...] = ()
    """What its triggers wait to be told of: `error` (any flow's failure), `error:<flow>`."""
    paused: bool = False
    """Its triggers work, and what they start waits in the queue until the flow is resumed."""
    since: int = 0
    """When it was last enabled; 0 where it was never disabled."""

    @property
    def begun(self) -> int:
        """When this version was published, or enabled after that: moments of its schedules before it never were."""
        return max(self.published, self.since)


@dataclass(frozen=True, slots=True)
class Version:
    """A stored flow version, without its text."""

    version: str
    stored: int


class Versions(Protocol):
    """Flow versions, for good, and which one is live."""

    async def put(self, tenant: str, flow: str, version: str, text: str, now: int) -> None:
        """Store a version's canonical text; the same version again changes nothing."""
        ...

    async def text(self, tenant: str, flow: str, version: str) -> str:
        """A version's text; raises NotFoundError."""
        ...

    async def history(self, tenant: str, flow: str) -> Sequence[Version]:
        """A flow's versions, newest first."""
        ...

    async def live(self, tenant: str, flow: str) -> Live | None:
        """The pointer, strongly consistent."""
        ...

    async def set_live(self, live: Live) -> bool:
        """Write the pointer if its `rev` still is `live.rev - 1` (absent for 1); False where somebody was quicker."""
        ...

    async def flows(self, tenant: str) -> Sequence[Live]:
        """Every published flow, by name."""
        ...


class Queue(Protocol):
    """Durable intents, delivered at least once."""

    async def send(self, sends: Sequence[Send]) -> None:
        """Return once every message is durable; raises StoreError naming how many were not."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery of a message: its handle, how often it came (1 the first time), and what it says.

    `message` is None where the body is none of ours; `body` then holds what came.
    """

    handle: str
    count: int
    message: Message | None
    body: str


class Inbox(Protocol):
    """The receiving side, for hosts that poll."""

    async def receive(self, most: int, wait_seconds: float) -> Sequence[Received]:
        """Up to `most` deliveries; waits for the first up to `wait_seconds`."""
        ...

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """They are done with; they do not come again."""
        ...

    async def fail(self, received: Received, delay_seconds: int) -> None:
        """It comes again after this long."""
        ...


class Plans(Protocol):
    """Flow versions, understood and remembered."""

    async def plan(self, tenant: str, flow: str, version: str) -> Plan:
        """The plan of a version, from memory where it was read before; raises NotFoundError."""
        ...

    async def live(self, tenant: str, flow: str) -> Live | None:
        """The published version; may be 5 s old."""
        ...

    async def listeners(self, tenant: str, event: str) -> Sequence[Live]:
        """The enabled flows that listen to this (see `Live.listens`); may be 5 s old."""
        ...

    def forget(self, tenant: str, flow: str) -> None:
        """Its pointer was written here: ask the store the next time."""
        ...


class Schedules(Protocol):
    """What starts flows by the clock."""

    async def replace(self, live: Live, plan: Plan) -> None:
        """A flow's schedules are those of this version, and no other's; a disabled flow has none."""
        ...


class Blobs(Protocol):
    """Bytes too large for a record."""

    async def put(self, content: bytes) -> str:
        """Keep them; return their name, the SHA-256 in hexadecimal. The same bytes again change nothing."""
        ...

    async def get(self, name: str) -> bytes:
        """The bytes; raises NotFoundError."""
        ...


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as bytes: exactly what goes out."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout_seconds: float = 20.0
    """For the whole exchange."""
    limit_bytes: int = 10_000_000
    """The largest answer, after decompression."""
    to_own: bool = False
    """The step means the deployment itself, should its address be that."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer as bytes, decompressed; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Http(Protocol):
    """The one guarded way out."""

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """One exchange, never repeated, redirects not followed.

        Raises AddressRefusedError, HostNotListedError, OwnAddressError, NotSentError (it certainly did not leave),
        TimedOutError or CutOffError (unknown), AnswerTooLargeError.
        """
        ...


class Credentials(Protocol):
    """Secrets, by name."""

    async def open(self, tenant: str, name: str, *, flow: str = "") -> Mapping[str, str]:
        """The credential's fields, in the clear, for one call of this flow.

        Without a flow those alone are opened that every flow may use. Raises CredentialMissingError, and what
        `vault.errors` knows.
        """
        ...


class Evaluator(Protocol):
    """Evaluates expressions, here or in a helper process."""

    async def evaluate(
        self, expressions: Sequence[Expression], scope: dict[str, Json], moment: Moment
    ) -> Sequence[Json | Missing]:
        """Each expression's value in this scope; raises ExpressionError (a fact) or WorkerMishapError (try again)."""
        ...

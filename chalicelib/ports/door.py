"""The door to executions, and what passes through it: who asks, what is told, and what stands behind a link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.engine.packs import Attempt
from chalicelib.engine.records import Image
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.flow.values import Json


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody asks for an execution."""

    tenant: str
    plan: Plan
    trigger: TriggerPlan | None
    """None: started with inputs alone (REST, command line, another flow)."""
    document: Mapping[str, Json] | None
    """What the trigger hands over, `name` and `at` included; None without a trigger."""
    inputs: Mapping[str, Json] | None
    """The inputs as given, where no trigger maps onto them."""
    respond: str
    """`accepted`, `result` or `step`."""
    received: int
    """Epoch milliseconds."""
    key: str | None = None
    """The delivery's id, or the caller's idempotency key: the same one again is the same execution."""
    who: str = ""
    """Who asks: the API key's id for REST, empty for a verified hook."""
    fingerprint: str = ""
    """SHA-256 of what was sent: another body under the same key is a conflict."""
    retry_of: str = ""
    wait_seconds: float = 25.0
    """How long the asker waits for a result."""


@dataclass(frozen=True, slots=True)
class Entered:
    """The execution that stands for this knock, now or since an earlier one with the same key."""

    execution: str
    is_new: bool
    image: Image | None = None
    """Its record where it is known; None where it was only accepted."""
    output: Json = None
    """The flow's output, where it has ended well while the asker waited."""
    response: Json = None
    """What a `respond` step said, as its value; None where none did."""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """The trigger's `if` is false: no execution."""


@dataclass(frozen=True, slots=True)
class StepDetails:
    """One step of an execution as people look at it. Times are epoch milliseconds."""

    id: str
    uses: str
    status: str
    """`pending`, `running`, `retrying`, `waiting`, `succeeded`, `failed`, `skipped`, `unknown`."""
    port: str
    input: Json
    output: Json
    failure: Mapping[str, Json] | None
    attempts: Sequence[Attempt]
    due: int = 0
    """When it goes on, where it waits or is to be retried."""
    link: str = ""
    """Where a callback or an approval that waits is answered."""
    child: str = ""
    """The execution that a `call` waits for."""


@dataclass(frozen=True, slots=True)
class Details:
    """An execution, its input, its output and every step. `secrets` never occur in it."""

    image: Image
    trigger: Json
    inputs: Json
    output: Json
    steps: Sequence[StepDetails]


@dataclass(frozen=True, slots=True)
class Link:
    """What a resume link stands for, once its MAC was found right: the step it answers."""

    tenant: str
    execution: str
    part: str
    """The record the step's facts lie in; empty for the head."""
    step: str
    path: tuple[int, ...]
    """The turns of the loops around the step."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands behind a link. Times are epoch milliseconds."""

    kind: str
    """`callback` or `approval`."""
    flow: str
    step: str
    name: str
    """The step's name for people; its id where it has none."""
    status: str
    """`early` (the step does not wait yet), `waiting`, `answered`, `expired`, `ended` (the execution has ended)."""
    parameters: Mapping[str, Json]
    """The step's parameters, secrets masked: of an approval `ask`; empty while it is early."""
    due: int
    """When it expires; 0: never, or not known yet."""
    port: str = ""
    """How it was answered."""


@dataclass(frozen=True, slots=True)
class Signal:
    """An answer to what a step waits for."""

    port: str
    """`received` for a callback; `approved` or `rejected` for an approval."""
    value: Json
    """The value: of a callback {"body", "headers", "query", "method"}, of an approval {"by", "comment", "via"}."""


class Door(Protocol):
    """Where executions begin, and are told to stop, to pause and to go on."""

    async def pause(self, tenant: str, execution: str) -> Image:
        """Start nothing more in it until it is resumed; what is under way is recorded.

        Pausing again changes nothing. Raises NotFoundError, ExecutionEndedError (also while it is ending).
        """
        ...

    async def resume(self, tenant: str, execution: str) -> Image:
        """Go on with what was paused; resuming what runs changes nothing. Raises NotFoundError, ExecutionEndedError."""
        ...

    async def resume_flow(self, tenant: str, flow: str) -> int:
        """Wake the executions that were queued while the flow was paused; how many."""
        ...

    async def redrive(self, tenant: str, execution: str, *, step: str | None = None, force: bool = False) -> Image:
        """Run a failed, cancelled or timed out execution again from its failed steps, keeping what succeeded.

        `step`: from that step instead, it and everything after it. `force` repeats an at-most-once step whose effect is
        unknown too. Raises NotFoundError, ExecutionOngoingError, RedriveRefusedError.
        """
        ...

    async def read_link(self, text: str) -> Link:
        """The link behind the last part of its address; raises LinkWrongError."""
        ...

    async def asked(self, link: Link) -> Asked:
        """What it asks, and whether it still waits. Raises LinkWrongError where the execution or the step is gone."""
        ...

    async def signal(self, link: Link, signal: Signal) -> Image:
        """Answer it; before the step waits too: then the answer is kept for it.

        Raises LinkUsedError, LinkExpiredError, ExecutionEndedError, LinkWrongError; ParameterError for a port that the
        step has not.
        """
        ...

    async def heartbeat(self, link: Link) -> int:
        """The work behind a callback goes on: when it expires now (epoch milliseconds). Raises as `signal` does."""
        ...

    async def enter(self, knock: Knock) -> Entered | TurnedAway:
        """Start it, or find what an earlier knock with the same key started.

        Raises DeliveryConflictError for the same key with another fingerprint, ParameterError and ExpressionError where
        the inputs do not fit, StoreError where nothing was accepted.
        """
        ...

    async def retry(self, tenant: str, execution: str, received: int) -> Entered:
        """A new execution of the same version with the same input; raises NotFoundError."""
        ...

    async def cancel(self, tenant: str, execution: str, message: str) -> Image:
        """Stop it: nothing new is started. Raises NotFoundError, ExecutionEndedError."""
        ...

    async def details(self, tenant: str, execution: str) -> Details:
        """Everything that is known of it; raises NotFoundError."""
        ...

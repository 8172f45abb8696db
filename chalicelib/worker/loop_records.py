"""What the loops have in common: their records, and how they fail."""

from collections.abc import Mapping, Sequence
from typing import cast

from chalicelib.engine.records import RecordKey
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome
from chalicelib.worker.course import Course
from chalicelib.worker.ledger import Ledger
from chalicelib.worker.values import Values

LONGEST_RUN_SECONDS = 400 * 86_400
"""How long a loop's record may lie untouched while its execution runs: longer than any wait with an end. The store
forgets it only after that, and after the time that ended executions are kept."""


MOST_BYTES = 32_000_000
"""Of the items of a loop as JSON, and of its results: what an invocation holds in memory besides everything else."""

MOST_RECORD_BYTES = 300_000
"""Of a record of a loop before another turn begins in it: an item of DynamoDB takes 400 KB, and what is under way must
still find room."""

RECORD_IS_FULL = (
    "what its turns do is more than one record holds. Cut the list into several executions, or make the inner loop a "
    "flow of its own and `call` it."
)


def is_full(ledger: Ledger | None) -> bool:
    """Whether no further turn may begin in this record."""
    return ledger is not None and ledger.image is not None and ledger.image.size > MOST_RECORD_BYTES


def kept_until(course: Course) -> int:
    """Epoch seconds when the store may forget a record that belongs to this execution."""
    keep = course.plan.retention_seconds or course.tools.settings.retention_seconds
    return int(course.now() / 1000 + keep) + LONGEST_RUN_SECONDS


async def open_loop(course: Course, key: RecordKey) -> tuple[Ledger, Values]:
    """A loop's own record: as an earlier invocation left it, or to be created with its first write."""
    image = await course.tools.facts.read(key)
    ledger = Ledger(course.tools, key, course.budget, image, epoch=course.head.epoch, expires=kept_until(course))
    return ledger, Values(course.tools.facts, course.tools.blobs, key)


def too_many_failed(step: StepPlan, failed: Sequence[Json], number: int, count: int) -> Outcome:
    """More turns failed than the loop tolerates; `failed` are the first of them."""
    said = f"`{step.id}`: {number} of {count} turns failed"
    if failed:
        first = cast("Mapping[str, Mapping[str, Json]]", failed[0])
        error = first["error"]
        said = f"{said}; turn {first['index']}: {error.get('code')}: {error.get('message')}"
    return Failed(Failure("loop", said, detail=list(failed[:10]), sent="answered"))

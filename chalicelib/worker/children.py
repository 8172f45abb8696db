"""Executions that others wait for: what became of them, and how a cancel reaches them."""

from collections.abc import Iterable

from chalicelib.engine.facts import Waiting, fact_name
from chalicelib.engine.messages import Resume, Send
from chalicelib.engine.records import Image, Reason, RecordKey, Status
from chalicelib.engine.writes import Cancel
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded
from chalicelib.worker.budget import SKEW, to_milliseconds
from chalicelib.worker.course import Course
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values

DEEPEST = 10
"""How many calls may lie above an execution: more is a circle."""


async def outcome_of_child(tools: Tools, tenant: str, execution: str, *, is_old: bool) -> Outcome | None:
    """What the execution that a step waits for came to; None while it has not ended.

    `is_old`: it must have begun by now; where there is no record of it, there will be none.
    """
    key = RecordKey(tenant, execution)
    image = await tools.facts.read(key)
    if image is None and is_old:
        said = f"Execution {execution} is not there any more: it ended, and was forgotten before its end was taken in."
        return Failed(Failure("child_lost", said, sent="answered"))
    if image is None or not image.status.is_terminal:
        return None
    if image.status is Status.SUCCEEDED:
        if not image.output_pack:
            return Succeeded(None)
        return Succeeded((await Values(tools.facts, tools.blobs, key).pack(image, image.output_pack)).get("output"))
    reason = image.reason or Reason(image.status, "", "failed", "")
    flow = image.birth.flow if image.birth is not None else ""
    at = f" in `{reason.step}`" if reason.step else ""
    said = f"The flow `{flow}` {_WORDS[image.status]}{at}: {reason.message}"
    detail: Json = {"execution": execution, "code": reason.code, "message": reason.message, "step": reason.step}
    return Failed(Failure(f"child_{image.status.word}", said, detail=detail, sent="answered"))


_WORDS = {Status.FAILED: "failed", Status.CANCELLED: "was cancelled", Status.TIMED_OUT: "timed out"}


async def heed_parent(course: Course) -> None:
    """Whoever waits for this execution may have ended before it began: a cancel that found no record is made up for.

    Asked as long as nothing is recorded of it; from then on a cancel finds it.
    """
    image, tools = course.head.image, course.tools
    waiting = parent_of(image.birth.parent) if image is not None and image.birth is not None else None
    if image is None or waiting is None or image.facts or image.status in STOPPED:
        return
    parent = await tools.facts.read(RecordKey(image.key.tenant, waiting[0]))
    if (
        parent is not None
        and parent.status not in STOPPED
        and not await _waits_for_another(tools, parent, waiting, image)
    ):
        return
    now = to_milliseconds(tools.clock.now())
    said = f"Execution {waiting[0]}, which called it, ended before it began."
    await tools.facts.write(Cancel(image.key, Reason(Status.CANCELLED, "", "parent_ended", said), now, now + SKEW))
    await course.head.look()


STOPPED = frozenset(status for status in Status if status.is_terminal or status is Status.ENDING)


async def _waits_for_another(tools: Tools, parent: Image, waiting: tuple[str, str, str], image: Image) -> bool:
    """Whether the step that called it has started another one since, by a redrive."""
    if waiting[2] or parent.birth is None:
        return False  # in a loop nothing says which of its turns it was
    plan = await tools.plans.plan(parent.key.tenant, parent.birth.flow, parent.birth.version)
    step = plan.by_id.get(waiting[1])
    fact = parent.facts.get(fact_name(step.ordinal)) if step is not None else None
    return isinstance(fact, Waiting) and fact.kind == "call" and fact.detail != image.key.execution


def parent_of(parent: str) -> tuple[str, str, str] | None:
    """The execution, the step and the part behind `Birth.parent`, where that step waits for the end."""
    match parent.split("."):
        case [execution, step, part]:
            return execution, step, part
        case _:
            return None


def children_of(images: Iterable[Image]) -> list[str]:
    """The executions that steps of these records wait for."""
    facts = (fact for image in images for fact in image.facts.values())
    return [fact.detail for fact in facts if isinstance(fact, Waiting) and fact.kind == "call"]


async def cancel_children(tools: Tools, images: Iterable[Image], reason: Reason) -> None:
    """Whoever waited is ending: what it waited for is stopped too; again and again changes nothing."""
    now = to_milliseconds(tools.clock.now())
    sends: list[Send] = []
    for image in images:
        tenant, parent = image.key.tenant, image.key.execution
        for child in children_of([image]):
            said = f"Execution {parent}, which called it, is ending: {reason.message or reason.code}"
            why = Reason(Status.CANCELLED, "", "parent_ended", said)
            answer = await tools.facts.write(Cancel(RecordKey(tenant, child), why, now, now + SKEW))
            found = answer.image
            if found is not None and not found.status.is_terminal:
                sends.append(Send(Resume(tenant, child, found.epoch)))
    if sends:
        await tools.queue.send(sends)

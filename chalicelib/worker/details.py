"""An execution as people look at it: every step with its input, output, attempts and times."""

from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Waiting, fact_name
from chalicelib.engine.packs import Entry, entry_from_json
from chalicelib.engine.readiness import Board
from chalicelib.engine.records import Image, RecordKey
from chalicelib.errors import NotFoundError
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.values import Json
from chalicelib.ports import Details, Link, StepDetails
from chalicelib.worker.links import KINDS
from chalicelib.worker.parts import LOOPS
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values

WORDS = {
    How.SUCCEEDED: "succeeded",
    How.FAILED: "failed",
    How.SKIPPED: "skipped",
    How.UNKNOWN: "unknown",
}


async def details_of(tools: Tools, key: RecordKey) -> Details:
    """Everything that is known of an execution; raises NotFoundError."""
    image = await tools.facts.read(key)
    if image is None or image.birth is None:
        raise NotFoundError(f"There is no execution {key.execution}.")
    plan = await tools.plans.plan(key.tenant, image.birth.flow, image.birth.version)
    values = Values(tools.facts, tools.blobs, key)
    named = {step.id: fact_name(step.ordinal) for step in (*plan.steps, *plan.on_failure)}
    done = {name: fact for name in named.values() if isinstance(fact := image.facts.get(name), Done)}
    await values.load(image, done)
    given: dict[str, Json] = {}
    if image.birth.input_pack:
        given = await values.pack(image, image.birth.input_pack)
    output: Json = None
    if image.output_pack:
        output = (await values.pack(image, image.output_pack)).get("output")
    facts = {step.id: done[named[step.id]] for step in plan.steps if named[step.id] in done}
    board = Board(plan.steps, facts, triggers=plan.triggers, started_by=image.birth.trigger)
    skipped = set(board.skipped)
    shown = [*plan.steps, *(step for step in plan.on_failure if named[step.id] in image.facts)]
    steps = [await _step(tools, image, step, values, named[step.id], is_skipped=step.id in skipped) for step in shown]
    return Details(image, given.get("trigger"), given.get("inputs"), output, steps)


async def _step(
    tools: Tools, image: Image, step: StepPlan, values: Values, name: str, *, is_skipped: bool
) -> StepDetails:
    fact = image.facts.get(name)
    entry = values.entries.get(name, Entry(None, None, ()))
    if isinstance(fact, Retrying | Waiting) and fact.pack:
        pack = (await values.pack(image, fact.pack)).get(name)
        entry = entry_from_json(pack) if isinstance(pack, dict) else entry
    due = fact.due if isinstance(fact, Waiting | Retrying) else 0
    status = "skipped" if is_skipped else _word(image, fact)
    port = fact.port if isinstance(fact, Done) else ""
    link = child = ""
    if isinstance(fact, Waiting) and status == "waiting":
        if fact.kind == "call":
            child = fact.detail
        elif fact.kind in KINDS and tools.links is not None:
            key = image.key
            link = await tools.links.address(fact.kind, Link(key.tenant, key.execution, key.part, step.id, ()))
    output = None if isinstance(fact, Waiting) else entry.value
    return StepDetails(
        *(step.id, step.uses, status, port, entry.input, output, entry.failure, entry.attempts, due, link, child)
    )


def _word(image: Image, fact: Fact | None) -> str:
    match fact:
        case Done(how):
            return WORDS[how]
        case Claimed():
            # Ended while its lease was out and nobody came back: what it did is anybody's guess.
            return "unknown" if image.status.is_terminal else "running"
        case Retrying(_, attempt):
            return ("failed" if attempt else "not_run") if image.status.is_terminal else "retrying"
        case Waiting(kind):
            return "not_run" if image.status.is_terminal else "running" if kind in LOOPS else "waiting"
        case _:  # nothing yet; no other kind of fact stands under a step's name
            return "not_run" if image.status.is_terminal else "pending"

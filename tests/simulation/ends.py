"""What must hold at the end (design 4.10, L1 to L6): everything accepted has ended, as the plain rules say."""

from typing import TYPE_CHECKING, Any

from chalicelib.engine.cut import Cut, marks_in
from chalicelib.engine.ending import facts_by_id, seen_from_on_failure
from chalicelib.engine.facts import Claimed, Done, How, Retrying, Waiting, fact_name, signal_name
from chalicelib.engine.ids import hashed_id
from chalicelib.engine.needs import Kind, Ruling, judge, state_of, trigger_states
from chalicelib.engine.readiness import Board
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.flow.plan import StepPlan
from chalicelib.worker.budget import SKEW
from chalicelib.worker.stage import keeps_facts
from tests.simulation.flows import Understood
from tests.simulation.mirror import Mirror
from tests.simulation.ports import CANARY

if TYPE_CHECKING:
    from tests.simulation.world import World

WAITS = frozenset({"wait", "callback", "approval", "call", "foreach"})
"""Steps whose recorded input an earlier invocation knew, and a later one does not; or is no more than a count."""

STILLBORN = frozenset({"expired", "version_missing", "dead_letter"})
"""Why an execution failed before it began: nothing of it can run."""


def could_go_on(world: "World", image: Image, at: int, *, strictly: bool = False) -> tuple[str, int]:
    """Which step is ready, due or over at this moment, held by nobody, and since when; empty where none is.

    Moments are epoch milliseconds; 0 where nothing tells since when. `strictly` leaves out what is rightly left to the
    sweeper: moments that have come, since clocks differ; and chunks that a pause or a redrive found halfway marked.
    """
    plan = world.watch.plan_of(image)
    now = at - SKEW  # by everybody's clock
    claims = [fact.expires for fact in image.facts.values() if isinstance(fact, Claimed)]
    if any(expires > now for expires in claims):
        return "", 0
    since = max(claims, default=0)
    if image.status is Status.ENDING:
        handlers = {fact_name(step.ordinal) for step in plan.plan.on_failure}
        waits = [image.facts[name] for name in handlers if isinstance(image.facts.get(name), Waiting | Retrying)]
        if any(fact.due > now or not fact.due for fact in waits):
            return "", 0
        if strictly:
            return "", 0  # whoever held something may have let go of it meanwhile
        return "its end", max([since, *(fact.due for fact in waits)])
    mirror = Mirror(world, plan, image)
    meddled = strictly and (image.epoch > 0 or image.key.execution in world.watch.paused)
    for step in plan.plan.steps:
        fact = image.facts.get(fact_name(step.ordinal))
        is_so, moment = False, 0
        match fact:
            case None:
                is_so = mirror.may_run(step, ())
            case Claimed(expires=expires):
                is_so, moment = True, expires
            case Retrying(due=due) | Waiting(kind="timer", due=due):
                is_so, moment = due <= now and not strictly, due
            case Waiting(kind="callback" | "approval", due=due):
                signal = image.facts.get(signal_name(step.ordinal))
                if signal is not None:
                    # Whoever answers sends for it; was that cut off, the moment recorded with the answer stands for it.
                    is_so = not strictly or image.next_check is None
                else:
                    is_so, moment = 0 < due <= now and not strictly, due
            case Waiting(kind="cut"):
                # Between rounds there is no fact; and a body that only reads leaves none before its end.
                pauses = any(each.uses == "repeat" for each in step.body.steps) or not keeps_facts(step.body)
                has_begun = strictly and _has_marks(world, image, step)  # what was lost since shows at a later look
                is_so = (
                    not meddled and not has_begun and not (strictly and pauses) and not _has_open(world, image, step)
                )
                is_so = is_so or (strictly and not meddled and _is_finished(world, image, step, fact))
                is_so = is_so and not world.letters.about(image.key.execution)
                moment = fact.due  # what was lost shows at the next look
            case _:
                pass
        if is_so:
            return step.id, max(moment, since)
    return "", 0


def _has_open(world: "World", head: Image, loop: StepPlan) -> bool:
    """Whether something in a wide loop waits, is to be tried again, or is held."""
    prefix = f"{loop.id}/"
    return any(
        isinstance(fact, Waiting | Retrying | Claimed)
        for image in world.facts._images.values()
        if image.key.execution == head.key.execution and image.key.part.startswith(prefix)
        for fact in image.facts.values()
    )


def _has_marks(world: "World", head: Image, loop: StepPlan) -> bool:
    """Whether a chunk of a wide loop is finished."""
    root = world.facts._images.get(RecordKey(head.key.tenant, head.key.execution, f"{loop.id}/r"))
    shard = world.facts._images.get(RecordKey(head.key.tenant, head.key.execution, f"{loop.id}/s0"))
    return any(image is not None and image.facts for image in (root, shard))


def _is_finished(world: "World", head: Image, loop: StepPlan, fact: Waiting) -> bool:
    """Whether every chunk of a wide loop is marked in its root: whoever marked the last sends for the join."""
    made = Cut.from_text(fact.detail)
    root = world.facts._images.get(RecordKey(head.key.tenant, head.key.execution, f"{loop.id}/r"))
    return root is not None and marks_in(root.facts).count == (made.chunks if made.shards == 1 else made.shards)


def _waits_on_failure(world: "World", image: Image) -> bool:
    """Whether it ends with steps of `on_failure` that wait: what somebody else holds is looked at after them."""
    if image.status is not Status.ENDING:
        return False
    facts = (image.facts.get(fact_name(step.ordinal)) for step in world.watch.plan_of(image).plan.on_failure)
    return any(isinstance(fact, Waiting | Retrying) for fact in facts)


def left_behind(world: "World", image: Image) -> str:
    """Why nobody but the sweeper would go on with it, where its last message has just been acknowledged."""
    if image.status not in {Status.RUNNING, Status.ENDING} or world.letters.about(image.key.execution):
        return ""
    execution = image.key.execution
    if any(call.kind == "queue.send" for call in (*world.calls, *world.ghosts)):
        return ""  # somebody is about to send for it
    is_overdue = 0 < image.birth.deadline < world.now  # whoever sees it stops, and the sweeper ends it
    if execution in world.watch.paused:
        return ""  # who was stopped by the pause leaves the rest to the sweeper
    if world.lost or is_overdue or execution in world.watch.orphans | world.poisoned:
        return ""
    if any(process.is_at(execution) for process in world.processes):
        return ""
    if execution in world.watch.by_due:
        return ""
    step, _ = could_go_on(world, image, world.now, strictly=True)
    if step:
        return f"{step} is ready, and nobody will start it"
    if _waits_on_failure(world, image):
        return ""
    for (key, name, token), holder in world.watch.holders.items():
        if key.execution == execution and holder is not None and holder.handles and holder.process.is_dead:
            record = world.facts._images[key]
            fact = record.facts.get(name)
            if isinstance(fact, Claimed) and fact.token == token and fact.expires > world.now:
                return "a claim in it is a dead worker's"
    return ""


def _answers(world: "World", answered: dict[Any, list[tuple[str, Any, int]]]) -> None:
    """L5: an answer that was taken is what its step left by; and only one is taken."""
    watch = world.watch
    for (execution, step_id, path), taken in answered.items():
        head = watch.head(execution)
        port, value, epoch = taken[0]
        if len(taken) > 1 and taken[1][2] == epoch:
            watch.fail(f"L5: two answers to {step_id} were taken")
        if head is None or head.epoch != epoch:
            continue
        plan = watch.plan_of(head)
        mirror = Mirror(world, plan, head)
        step = plan.plan.by_id[step_id]
        image = mirror.image(step, path)
        name = fact_name(step.ordinal, path)
        fact = image.facts.get(name) if image is not None else None
        if type(fact) is not Done or fact.how is not How.SUCCEEDED:
            continue
        if fact.port != port or mirror.entry(image, name, fact.pack).value != value:
            watch.fail(f"L5: the answer {port} to {step_id} was taken, and it left by {fact.port}")


def _listeners(world: "World") -> None:
    """L6: whoever listens for failures is told of each."""
    for image in list(world.facts._images.values()):
        if not image.key.is_head or image.birth.flow == "listener":
            continue
        if image.status in {Status.FAILED, Status.TIMED_OUT}:
            told = hashed_id("main", "listener", "failed", "", f"{image.key.execution}.{image.epoch}")
            if world.watch.head(told) is None:
                world.watch.fail(f"L6: nobody was told that {image.key.execution} {image.status.word}")


def look(world: "World", *, listens: bool, answered: dict[Any, Any]) -> None:
    """Every execution there is."""
    watch = world.watch
    _answers(world, answered)
    if listens:
        _listeners(world)
    for image in list(world.facts._images.values()):
        if image.key.is_head and image.birth is not None:
            if not image.status.is_terminal:
                watch.fail(f"L1: execution {image.key.execution} stays {image.status.word} for ever")
                continue
            if image.next_check is not None:
                watch.fail(f"L6: execution {image.key.execution} has ended, and its due entry stays")
            _judge(world, image)
    for execution in world.accepted:
        if watch.head(execution) is None:
            watch.fail(f"L5: execution {execution} was accepted, and is not there")
    for answers in world.answers.values():
        if len(answers) > 1:
            watch.fail(f"L5: one delivery was answered with {len(answers)} executions")
    _leaks(world)


def _judge(world: "World", image: Image) -> None:
    """Its status follows from its facts, and so does every step's input."""
    watch, plan = world.watch, world.watch.plan_of(image)
    flow = plan.plan
    facts = facts_by_id(flow.steps, image)
    triggers = trigger_states(flow.triggers, image.birth.trigger)
    judged = judge(flow.steps, facts, triggers)
    unhandled = {
        step.id for step in flow.steps if step.id in facts and state_of(step, facts[step.id]).kind is Kind.UNHANDLED
    }
    reason = image.reason
    match image.status:
        case Status.SUCCEEDED:
            for step in flow.steps:
                if judged[step.id].ruling is Ruling.OPEN or (
                    judged[step.id].ruling is Ruling.RUN and step.id not in facts
                ):
                    watch.fail(f"I5: it succeeded, and {step.id} is not settled")
            if unhandled:
                watch.fail(f"I5: it succeeded, and nobody handles the failure of {sorted(unhandled)}")
        case Status.FAILED:
            if reason is None:
                watch.fail("I5: it failed without a reason")
            elif reason.how is not image.status:
                watch.fail(f"I5: it is ending because it is {reason.how.word}, and ended as {image.status.word}")
            elif reason.step and reason.step not in unhandled and reason.code != "dead_letter":
                watch.fail(f"I5: it failed for {reason.step}, which did not fail")
            elif reason.code == "dead_letter" and image.key.execution in world.poisoned:
                pass
            elif not reason.step and reason.code not in world.reasons:
                watch.fail(f"I5: it failed for no step, with {reason.code}")
        case Status.TIMED_OUT:
            if reason is None or reason.how is not image.status:
                watch.fail("I5: it is ending for another reason, and ended as timed out")
            if not image.birth.deadline or image.ended < image.birth.deadline - 5_000:
                watch.fail("I5: it timed out before its deadline")
        case _ if reason is not None and reason.code == "parent_ended":
            parent = watch.head(image.birth.parent.partition(".")[0])
            if parent is None or (parent.epoch == 0 and parent.status is Status.RUNNING):
                watch.fail("I5: it was cancelled with its parent, which goes on")
        case _:
            if image.key.execution not in watch.cancels:
                watch.fail("I5: it was cancelled, and nobody had asked for that")
    for name, fact in image.facts.items():
        if isinstance(fact, Claimed) and image.status is Status.SUCCEEDED:
            watch.fail(f"I5: it succeeded while {name} is claimed")
    _inputs(world, plan, image)
    is_stillborn = reason is not None and reason.code in STILLBORN
    if image.status in {Status.FAILED, Status.TIMED_OUT} and flow.on_failure and not is_stillborn:
        _handlers(world, plan, image, facts)


def _inputs(world: "World", plan: Understood, head: Image) -> None:
    """I2, I11: what each step was given is what (version, image) gives."""
    mirror = Mirror(world, plan, head)
    for image in world.facts._images.values():
        if image.key.execution == head.key.execution:
            _inputs_of(world, mirror, image, image.key.part)


def _inputs_of(world: "World", mirror: Mirror, image: Image | None, part: str) -> None:
    """The facts of one record."""
    plan = mirror.plan
    if image is None:
        return
    for name, fact in image.facts.items():
        place = plan.step_of(name) if name[0] == "f" else None
        if place is None or type(fact) is not Done or fact.how is How.SKIPPED:
            continue
        step, path = place
        if step.id in plan.handlers or plan.outermost[step.id] in plan.handlers or len(path) > plan.depth[step.id]:
            continue
        if step.uses not in WAITS and not step.credential and mirror.part(step, path) == part:
            _input_of(world, mirror, step, path, image, fact)


def _input_of(world: "World", mirror: Mirror, step: StepPlan, path: tuple[int, ...], image: Image, fact: Done) -> None:
    recorded = mirror.entry(image, fact_name(step.ordinal, path), fact.pack).input
    if not recorded and fact.how != How.SUCCEEDED:
        return  # it failed before it was given anything, or its worker vanished
    if not recorded and step.parameters is None:
        return
    try:
        given = mirror.parameters(step, path)
    except Exception as error:
        world.watch.fail(f"I11: the input of {step.id} {path} cannot be computed again: {error!r}")
        return
    if recorded != given:
        world.watch.fail(f"I11: {step.id} {path} was given {recorded}; (version, image) gives {given}")


def _handlers(world: "World", plan: Understood, image: Image, facts: dict[str, Done]) -> None:
    """Every `on_failure` step is settled, unless one of them failed for good."""
    flow = plan.plan
    board = Board(flow.steps, facts, triggers=flow.triggers, started_by=image.birth.trigger)
    outside = seen_from_on_failure(flow.steps, board)
    done = facts_by_id(flow.on_failure, image)
    handling = Board(flow.on_failure, done, outside)
    if not handling.is_finished and handling.unhandled is None:
        world.watch.fail(f"L6: {image.key.execution} failed, and its on_failure steps did not run to their end")


def _leaks(world: "World") -> None:
    """I13: the secret is in no record, no blob and no log."""
    texts = [*world.facts._packs.values(), *world.logged]
    texts += [content.decode(errors="replace") for content in world.blobs._contents.values()]
    for image in world.facts._images.values():
        texts += image.inline.values()
        texts.append(image.reason.message if image.reason is not None else "")
    if any(CANARY in text for text in texts):
        world.watch.fail("I13: a secret is in what was kept")

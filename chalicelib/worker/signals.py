"""Answers to steps that wait for one: by a link, once, before the step waits too."""

from dataclasses import replace
from typing import cast

from chalicelib.engine import controls
from chalicelib.engine.facts import Done, Fact, Signalled, Waiting, fact_name, signal_name
from chalicelib.engine.looking import AGAIN
from chalicelib.engine.messages import Send
from chalicelib.engine.packs import PACK_LIMIT, entry_from_json
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.engine.writes import Applied, Commit, Exactly, Put
from chalicelib.errors import (
    ExecutionEndedError,
    LinkExpiredError,
    LinkUsedError,
    LinkWrongError,
    NotFoundError,
    ParameterError,
    StoreError,
)
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.flow.templates import Literal
from chalicelib.flow.values import Json
from chalicelib.ports import Asked, Link, Signal
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.controls import find_head, has_ended, plan_of
from chalicelib.worker.course import learn_secrets
from chalicelib.worker.loop_records import LONGEST_RUN_SECONDS
from chalicelib.worker.packing import json_text, pack_name
from chalicelib.worker.parts import message_for
from chalicelib.worker.redaction import Secrets
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values

TRIES = 8

ANSWERS = {"callback": ("received",), "approval": ("approved", "rejected")}
"""By node: the ports that an answer may choose."""


async def asked(tools: Tools, link: Link) -> Asked:
    """What stands behind a link, and whether it still waits."""
    head, plan, step = await _find(tools, link)
    record = await _record(tools, head, link)
    fact, signal = _facts(record, step, link)
    is_over = _is_over(head, record, plan, link)
    parameters: dict[str, Json] = {}
    if isinstance(fact, Waiting) and fact.pack and record is not None:
        entry = (await Values(tools.facts, tools.blobs, record.key).pack(record, fact.pack)).get(
            fact_name(step.ordinal, link.path)
        )
        given = entry_from_json(entry).input if isinstance(entry, dict) else None
        parameters = cast("dict[str, Json]", given) if isinstance(given, dict) else {}
    elif isinstance(step.parameters, Literal) and isinstance(step.parameters.value, dict):
        parameters = dict(step.parameters.value)  # what stands in the flow itself is known before the step waits
    due = fact.due if isinstance(fact, Waiting) else 0
    port = fact.port if isinstance(fact, Done) else ""
    status = _status(head, fact, signal, to_milliseconds(tools.clock.now()), is_over=is_over)
    return Asked(step.uses, plan.flow, step.id, step.name or step.id, status, parameters, due, port)


def _is_over(head: Image, record: Image | None, plan: Plan, link: Link) -> bool:
    """Whether the loop around the step is over, or this part of it: nothing in it will wait any more."""
    if not link.part:
        return False
    loop = plan.by_id.get(link.part.partition("/")[0])
    fact = head.facts.get(fact_name(loop.ordinal)) if loop is not None else None
    return isinstance(fact, Done) or (record is not None and record.status.is_terminal)


def _status(head: Image, fact: Fact | None, signal: Signalled | None, now: int, *, is_over: bool) -> str:
    if isinstance(fact, Done):
        return "expired" if fact.port == "expired" else "answered"
    if signal is not None:
        return "answered"
    if head.status is Status.ENDING or head.status.is_terminal or is_over:
        return "ended"
    if isinstance(fact, Waiting):
        return "expired" if 0 < fact.due <= now else "waiting"
    return "early"


async def answer(tools: Tools, link: Link, signal: Signal) -> Image:
    """Record the answer, and wake the step; raises as `ports.Door.signal` says."""
    head, plan, step = await _find(tools, link)
    if signal.port not in ANSWERS.get(step.uses, ()):
        ports = " or ".join(f"`{port}`" for port in ANSWERS.get(step.uses, ())) or "nothing"
        raise ParameterError(f"`{step.id}` can be answered with {ports}, not with `{signal.port}`.")
    secrets = Secrets()
    await learn_secrets(tools, plan, link.tenant, secrets)
    text = json_text({"port": signal.port, "value": secrets.mask(signal.value)})
    size = len(text.encode())
    pack = pack_name(head, tools.ids) if size <= PACK_LIMIT else "b" + await tools.blobs.put(text.encode())
    packs = {pack: text} if size <= PACK_LIMIT else {}
    name = signal_name(step.ordinal, link.path)
    for _ in range(TRIES):
        head = await find_head(tools, RecordKey(link.tenant, link.execution))
        record = await _record(tools, head, link)
        now = to_milliseconds(tools.clock.now())
        await _refuse(tools, plan, head, record, step, link, now)
        fact = Signalled(now, pack)
        if record is None:
            expires = int(now / 1000 + tools.settings.retention_seconds) + LONGEST_RUN_SECONDS
            write = controls.first_signal(_key(link), head.epoch, name, fact, now, packs, expires)
        else:
            # The wait is touched too: its expiry then finds another fact than it saw, and looks again.
            waiting, _ = _facts(record, step, link)
            place = fact_name(step.ordinal, link.path)
            held = {place: Put(replace(waiting, due=0), Exactly(waiting))} if isinstance(waiting, Waiting) else {}
            # One that comes before its step waits stands only where the step has not begun to meanwhile.
            seen_rev = None if held else record.rev
            write = controls.signal(record, name, fact, now, packs, now + AGAIN, held, seen_rev)
        after = await tools.facts.write(write)
        if isinstance(after, Applied) or (after.image is not None and after.image.facts.get(name) == fact):
            await _wake(tools, plan, head, link)
            return head
    raise StoreError(f"execution {link.execution} did not hold still in {TRIES} tries")


async def _refuse(
    tools: Tools, plan: Plan, head: Image, record: Image | None, step: StepPlan, link: Link, now: int
) -> None:
    """Raise what says why it cannot be answered any more."""
    fact, signal = _facts(record, step, link)
    match _status(head, fact, signal, now, is_over=_is_over(head, record, plan, link)):
        case "expired":
            raise LinkExpiredError
        case "answered":
            if isinstance(fact, Waiting):
                await _wake(tools, plan, head, link)  # whoever answered may have died before its message was out
            raise LinkUsedError
        case "ended" if head.status is Status.ENDING or head.status.is_terminal:
            raise has_ended(head)
        case "ended":
            raise ExecutionEndedError(f"The loop around `{step.id}` is over: nothing in it waits any more.")
        case _:
            pass


async def heartbeat(tools: Tools, link: Link) -> int:
    """The work behind a callback goes on: its moment moves; raises as `ports.Door.heartbeat` says."""
    head, plan, step = await _find(tools, link)
    if step.uses != "callback":
        raise ParameterError(f"`{step.id}` is no callback: only the work behind a callback has a heartbeat.")
    for _ in range(TRIES):
        record = await _record(tools, head, link)
        now = to_milliseconds(tools.clock.now())
        await _refuse(tools, plan, head, record, step, link, now)
        fact, _ = _facts(record, step, link)
        if not isinstance(fact, Waiting) or record is None:
            return 0  # it does not wait yet: nothing can run out
        if not fact.detail:
            return fact.due
        every, last = map(int, fact.detail.split("."))
        due = min(now + every, last) if last else now + every
        name = fact_name(step.ordinal, link.path)
        puts = {name: Put(replace(fact, due=due), Exactly(fact))}
        write = Commit(record.key, record.epoch, now, puts=puts, next_check=due if record.key.is_head else None)
        if isinstance(await tools.facts.write(write), Applied):
            return due
    raise StoreError(f"execution {link.execution} did not hold still in {TRIES} tries")


async def _wake(tools: Tools, plan: Plan, head: Image, link: Link) -> None:
    message = message_for(plan, head.key, link.part, link.step, head.epoch)
    await tools.queue.send([Send(message)])


async def _find(tools: Tools, link: Link) -> tuple[Image, Plan, StepPlan]:
    try:
        head = await find_head(tools, RecordKey(link.tenant, link.execution))
        plan = await plan_of(tools, head)
    except NotFoundError as error:
        raise LinkWrongError("The execution that this link belongs to is gone.") from error
    step = plan.by_id.get(link.step)
    if step is None or step.uses not in ANSWERS or bool(link.part) is not bool(link.path):
        raise LinkWrongError
    return head, plan, step


def _key(link: Link) -> RecordKey:
    return RecordKey(link.tenant, link.execution, link.part)


async def _record(tools: Tools, head: Image, link: Link) -> Image | None:
    """The record that the step's facts lie in; None where a loop has not made it yet."""
    return await tools.facts.read(_key(link)) if link.part else head


def _facts(record: Image | None, step: StepPlan, link: Link) -> tuple[Fact | None, Signalled | None]:
    if record is None:
        return None, None
    signal = record.facts.get(signal_name(step.ordinal, link.path))
    return record.facts.get(fact_name(step.ordinal, link.path)), signal if isinstance(signal, Signalled) else None

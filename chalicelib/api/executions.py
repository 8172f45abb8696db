"""Executions: listed, shown step by step, cancelled, started again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.api.auth import Role
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.running import reason_to_json
from chalicelib.api.scopes import sees
from chalicelib.api.times import from_text, to_text, to_text_or_none
from chalicelib.api.tools import Call, execution_url
from chalicelib.engine.packs import Attempt
from chalicelib.engine.records import Image, Status
from chalicelib.errors import NotFoundError
from chalicelib.flow.values import Json
from chalicelib.ports import Details, Listing, Page, StepDetails, Summary

_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
_LINK = re.compile(rb"((?:/|%2F)(?:callbacks|approvals)(?:/|%2F))[\w-]{20,}(?:\.|%2E)[\w-]{22}", re.IGNORECASE)
"""A link in what a step was given, such as a message. Who may only look must not be able to answer by it."""
_MOST_PAGES = 20
"""That are read for one answer where a key's scopes leave nothing of a page."""
STATUSES: Mapping[str, Status] = {status.word: status for status in Status}


async def list_executions(call: Call) -> Answer:
    """One page, newest first; `cursor` leads to the next."""
    query = call.query
    listing = Listing(
        call.tenant,
        flow=_text(query, "flow"),
        status=STATUSES.get(str(query.get("status", ""))),
        since=_time(query, "since"),
        until=_time(query, "until"),
        limit=limit if isinstance(limit := query.get("limit"), int) else 50,
        cursor=_text(query, "cursor"),
    )
    page = await _page(call, listing)
    items: list[Json] = [_summary_to_json(call, each) for each in page.items]
    return json_answer({"items": items, "cursor": page.cursor})


async def _page(call: Call, listing: Listing) -> Page:
    """A page without the flows that are not there for a key with scopes: shorter then, its cursor leads on."""
    page = await call.tools.facts.page(listing)
    if call.caller is None or not call.caller.grants:
        return page
    for _ in range(_MOST_PAGES):
        items = [each for each in page.items if sees(call.caller, each.flow)]
        if items or page.cursor is None:
            return Page(items, page.cursor)
        page = await call.tools.facts.page(replace(listing, cursor=page.cursor))
    return Page([], page.cursor)


async def show(call: Call) -> Answer:
    """Everything that is known of an execution."""
    details = await call.tools.door.details(call.tenant, execution_id(call))
    answer = json_answer(details_to_json(details, call))
    return answer if call.may(Role.OPERATOR) else answer._replace(body=_LINK.sub(rb"\1...", answer.body))


async def cancel(call: Call) -> Answer:
    """Stop it; raises ExecutionEndedError where it has ended."""
    message = call.body.get("message")
    text = message if isinstance(message, str) and message else "Cancelled through the API."
    return standing(call, await call.tools.door.cancel(call.tenant, execution_id(call), text))


async def pause(call: Call) -> Answer:
    """Start nothing more in it; raises ExecutionEndedError where it has ended."""
    return standing(call, await call.tools.door.pause(call.tenant, execution_id(call)))


async def resume(call: Call) -> Answer:
    """Go on with it; raises ExecutionEndedError where it has ended."""
    return standing(call, await call.tools.door.resume(call.tenant, execution_id(call)))


async def redrive(call: Call) -> Answer:
    """Run it again from what failed, or from a step; raises ExecutionOngoingError and RedriveRefusedError."""
    step = call.body.get("step")
    image = await call.tools.door.redrive(
        call.tenant,
        execution_id(call),
        step=step if isinstance(step, str) else None,
        force=call.body.get("force") is True,
    )
    return standing(call, image)


async def retry(call: Call) -> Answer:
    """The same version with the same input, as a new execution."""
    former = execution_id(call)
    entered = await call.tools.door.retry(call.tenant, former, call.request.received)
    return json_answer(
        {
            "execution": entered.execution,
            "url": execution_url(call.tools.settings, entered.execution),
            "retry_of": former,
        },
        202,
    )


def standing(call: Call, image: Image) -> Answer:
    """What became of an execution that was told something."""
    execution = image.key.execution
    return json_answer(
        {
            "execution": execution,
            "url": execution_url(call.tools.settings, execution),
            "status": image.status.word,
        }
    )


def execution_id(call: Call) -> str:
    """The execution that the path names; raises NotFoundError for what cannot be one."""
    name = call.names["id"]
    if not _ID.fullmatch(name):
        raise NotFoundError("There is no such execution. Its id is 26 lower-case letters and digits.")
    return name


def details_to_json(details: Details, call: Call) -> dict[str, Json]:
    """An execution as the API shows it: times as RFC 3339, null for what has not come."""
    image, birth = details.image, details.image.birth
    if birth is None:
        raise NotFoundError("There is no such execution.")
    return {
        "id": image.key.execution,
        "url": execution_url(call.tools.settings, image.key.execution),
        "flow": birth.flow,
        "version": birth.version,
        "status": image.status.word,
        "trigger": birth.trigger or None,
        "started": to_text(birth.started),
        "ended": to_text_or_none(image.ended),
        "deadline": to_text_or_none(birth.deadline),
        "retry_of": birth.retry_of or None,
        "parent": birth.parent or None,
        "reason": reason_to_json(image),
        "document": details.trigger,
        "inputs": details.inputs,
        "output": details.output,
        "steps": [_step_to_json(step, may_answer=call.may(Role.OPERATOR)) for step in details.steps],
    }


def _step_to_json(step: StepDetails, *, may_answer: bool) -> Json:
    """A step. Whoever has its link may answer it: it is shown to those who may answer anyway, else null."""
    return {
        "id": step.id,
        "uses": step.uses,
        "status": step.status,
        "port": step.port or None,
        "started": to_text(step.attempts[0].start) if step.attempts else None,
        "ended": _ended(step.status, step.attempts),
        "due": to_text_or_none(step.due),
        "link": (step.link or None) if may_answer else None,
        "child": step.child or None,
        "input": step.input,
        "output": step.output,
        "failure": dict(step.failure) if step.failure is not None else None,
        "attempts": [_attempt_to_json(each) for each in step.attempts],
    }


def _ended(status: str, attempts: Sequence[Attempt]) -> Json:
    """When the last attempt was over, once nothing follows it."""
    open_words = {"pending", "running", "retrying", "waiting"}
    return to_text_or_none(attempts[-1].end) if attempts and status not in open_words else None


def _attempt_to_json(attempt: Attempt) -> Json:
    return {
        "number": attempt.number,
        "started": to_text(attempt.start),
        "ended": to_text_or_none(attempt.end),
        "code": attempt.code or None,
        "message": attempt.message or None,
    }


def _summary_to_json(call: Call, summary: Summary) -> Json:
    return {
        "id": summary.id,
        "url": execution_url(call.tools.settings, summary.id),
        "flow": summary.flow,
        "version": summary.version,
        "status": summary.status.word,
        "trigger": summary.trigger or None,
        "started": to_text(summary.started),
        "ended": to_text_or_none(summary.ended),
    }


def _text(query: Mapping[str, Json], name: str) -> str | None:
    value = query.get(name)
    return value if isinstance(value, str) and value else None


def _time(query: Mapping[str, Json], name: str) -> int | None:
    value = _text(query, name)
    return None if value is None else from_text(value, name)

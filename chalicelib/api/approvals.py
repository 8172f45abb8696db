"""Where a person answers an approval: a page with a question and two buttons. Opening it decides nothing.

Whoever has the link may answer, once; no key is asked for. Programs get and send JSON at the same address.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from chalicelib.api.approval_form import answered_page, form_page, people_of, read_answer
from chalicelib.api.content import content_type, refuse_size, unpack
from chalicelib.api.forms import read_urlencoded
from chalicelib.api.json_body import read_json
from chalicelib.api.people import told, wants_page
from chalicelib.api.request import Answer, Request, json_answer
from chalicelib.api.times import to_text_or_none
from chalicelib.api.tools import Call
from chalicelib.errors import (
    BodyUnreadableError,
    ExecutionEndedError,
    LinkExpiredError,
    LinkUsedError,
    LinkWrongError,
    ParameterError,
    Problem,
    UsageError,
)
from chalicelib.flow.values import Json
from chalicelib.ports import Asked, Link, Signal

LARGEST: Final = 100_000
"""Bytes of an answer: a name, and a comment of some thousand characters, however they are encoded."""
_FIELDS: Final = ("decision", "by", "comment")


async def show(call: Call) -> Answer:
    """Say what is asked; nothing is decided by looking."""
    return await told(call, _show, unless_said=True)


async def decide(call: Call) -> Answer:
    """Take the answer, from the page's form or as JSON."""
    return await told(call, _decide, unless_said=True)


async def _show(call: Call) -> Answer:
    _, asked = await asked_of(call)
    _refuse_what_is_over(asked)
    if wants_page(call.request, unless_said=True):
        return form_page(asked)
    return json_answer(
        {
            "flow": asked.flow,
            "step": asked.step,
            "name": asked.name,
            "status": asked.status,
            "ask": asked.parameters.get("ask"),
            "by": list(people_of(asked)),
            "expires": to_text_or_none(asked.due),
        }
    )


async def _decide(call: Call) -> Answer:
    request = call.request
    refuse_size(request, min(LARGEST, call.tools.settings.limit_bytes))
    link, asked = await asked_of(call)
    _refuse_what_is_over(asked)
    given, mistakes = read_answer(_fields(request), people_of(asked))
    is_page = wants_page(request, unless_said=True)
    if mistakes:
        if is_page:
            return form_page(asked, given, mistakes)
        problems = [Problem(f"body.{name}", 0, 0, what, "") for name, what in mistakes.items()]
        raise ParameterError("The answer is not one. Nothing was recorded.", problems=problems)
    value: dict[str, Json] = {"by": given.by, "comment": given.comment, "via": "link"}
    await call.tools.door.signal(link, Signal(given.decision, value))
    if is_page:
        return answered_page(replace(asked, port=given.decision), given, is_early=asked.status == "early")
    return json_answer({"flow": asked.flow, "step": asked.step, "decision": given.decision, **value})


async def asked_of(call: Call) -> tuple[Link, Asked]:
    """The link in the path and what it asks; raises LinkWrongError for what is no approval's."""
    door = call.tools.door
    link = await door.read_link(call.names["link"])
    asked = await door.asked(link)
    if asked.kind != "approval":
        raise LinkWrongError("This link is a callback's, for a program to answer. Its address begins with /callbacks/.")
    return link, asked


def _refuse_what_is_over(asked: Asked) -> None:
    """Raise for what cannot be answered any more, so that nobody fills in a form in vain."""
    flow, step = asked.flow, asked.step
    match asked.status:
        case "answered":
            how = f": {asked.port}" if asked.port else ""
            raise LinkUsedError(
                f"This was answered before{how}. A link works once.", flow=flow, step=step, port=asked.port
            )
        case "expired":
            raise LinkExpiredError("The time in which this could be answered is over.", flow=flow, step=step)
        case "ended":
            raise ExecutionEndedError("What asked this has ended; it waits for no answer.", flow=flow, step=step)
        case _:
            pass


def _fields(request: Request) -> Mapping[str, Json]:
    """The answer's fields; raises BodyUnreadableError, and UsageError for one that is unknown."""
    body = unpack(request.body, request.headers.get("content-encoding", ""), LARGEST)
    kind = content_type(request.headers)
    if kind.kind == "application/x-www-form-urlencoded":
        fields: Json = read_urlencoded(body, kind)
    elif kind.is_json:
        fields = read_json(body)
    else:
        raise BodyUnreadableError(
            "Send the answer as application/json or application/x-www-form-urlencoded: `decision`, `by`, `comment`."
        )
    if not isinstance(fields, dict):
        raise BodyUnreadableError('The answer is JSON, but no object. Send {"decision": "approved", "by": ...}.')
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise UsageError(f"Unknown field. There are: {', '.join(_FIELDS)}.")
    return fields

"""Where a program answers a callback: once, by POST or PUT; and where it says meanwhile that it is still at work.

Whoever has the link may answer; no key is asked for. A GET answers nothing, since previews and scanners open every
address they see: it is told to POST.
"""

from typing import Final

from chalicelib.api.document import document_of
from chalicelib.api.people import told, wants_page
from chalicelib.api.problems import problem
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.times import to_text_or_none
from chalicelib.api.tools import Call
from chalicelib.errors import LinkWrongError, ParameterError
from chalicelib.flow.values import Json
from chalicelib.ports import Asked, Signal
from chalicelib.ports.files import Files

_ALLOW: Final = (("allow", "POST, PUT, OPTIONS"),)
_OF_AN_APPROVAL: Final = "This link is an approval's, for a person to answer. Its address begins with /approvals/."
_STANDS: Final = {
    "early": "The flow has not come to this step yet; what is sent now is kept for it.",
    "waiting": "The step waits.",
    "answered": "It was answered before.",
    "expired": "The time in which it could be answered is over.",
    "ended": "What asked has ended.",
}


async def show(call: Call) -> Answer:
    """Say what the address is for, as 405: a service that calls back by GET must see that nobody heard it."""
    return await told(call, _show, unless_said=False)


async def receive(call: Call) -> Answer:
    """Answer the callback with what was sent; raises LinkUsedError the second time."""
    tools, request = call.tools, call.request
    link = await tools.door.read_link(call.names["link"])
    files = Files(tools.blobs, link.tenant)
    document = await document_of(
        request, trigger="", path="", secret_header="", limit=tools.settings.limit_bytes, blobs=files
    )
    value: dict[str, Json] = {
        "body": _with_files(document["body"], document["files"]),
        "headers": document["headers"],
        "query": document["query"],
        "method": request.method,
    }
    try:
        await tools.door.signal(link, Signal("received", value))
    except ParameterError as error:
        raise LinkWrongError(_OF_AN_APPROVAL) from error
    return json_answer({"received": True})


async def heartbeat(call: Call) -> Answer:
    """The work behind the callback goes on: when it expires now."""
    door = call.tools.door
    link = await door.read_link(call.names["link"])
    try:
        due = await door.heartbeat(link)
    except ParameterError as error:
        raise LinkWrongError(_OF_AN_APPROVAL) from error
    return json_answer({"expires": to_text_or_none(due)})


async def _show(call: Call) -> Answer:
    door = call.tools.door
    asked = await door.asked(await door.read_link(call.names["link"]))
    if asked.kind != "callback":
        raise LinkWrongError(_OF_AN_APPROVAL)
    if wants_page(call.request, unless_said=False):
        return _page(asked)
    facts: dict[str, object] = {
        "flow": asked.flow,
        "step": asked.step,
        "state": asked.status,
        "expires": to_text_or_none(asked.due),
    }
    detail = f"This address waits for a program: send the answer by POST or PUT. {_STANDS[asked.status]}"
    return problem(405, "method_not_allowed", "This address is answered by POST", detail, facts=facts, headers=_ALLOW)


def _page(asked: Asked) -> Answer:
    from chalicelib.api.pages import escaped, moment, page  # imported late: programs need no pages

    content = [
        "<h1>This address is for a program</h1>",
        "<p>It takes one answer, sent by POST or PUT. Opening it here answered nothing.</p>",
        "<dl>",
        f"<dt>Flow</dt><dd>{escaped(asked.flow)}</dd>",
        f"<dt>Step</dt><dd>{escaped(asked.name)}</dd>",
        f"<dt>State</dt><dd>{_STANDS[asked.status]}</dd>",
        *([f"<dt>Expires</dt><dd>{moment(asked.due)}</dd>"] if asked.due else []),
        "</dl>",
    ]
    return page(405, "This address is for a program", content, _ALLOW)


def _with_files(body: Json, files: Json) -> Json:
    """A form's fields with its files among them, each under its field's name."""
    if not isinstance(files, dict) or not files:
        return body
    both: dict[str, Json] = dict(body) if isinstance(body, dict) else {}
    for name, file in files.items():
        both[name] = [*_listed(both[name]), *_listed(file)] if name in both else file
    return both


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]

"""What a webhook's sender is told: the execution that was started, its result, or what a `respond` step said."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.problems import problem
from chalicelib.api.request import JSON, Answer, json_bytes
from chalicelib.api.tools import Settings, execution_url
from chalicelib.engine.records import Image, Status
from chalicelib.errors import WorkerMishapError
from chalicelib.flow.values import Json
from chalicelib.ports import Blobs, Entered, TurnedAway

_IGNORED: Final = Answer(202, JSON, b'{"execution":null,"ignored":true}')
_SANDBOX: Final = (
    "content-security-policy",
    "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts allow-top-navigation",
)
"""A flow's page may show what a stranger sent. With an origin of its own it cannot use the API in the reader's name."""
_ACTIVE: Final = ("html", "svg", "xml")


async def answer_of(entered: Entered | TurnedAway, respond: str, settings: Settings, files: Blobs) -> Answer:
    """The answer of a trigger that responds `accepted`, `result` or `step`.

    `accepted`, and whatever outlasts the request: 202 with the execution's id and address. `result`: 200 with the
    flow's output. `step`: what the step said; the output where none did. A failed execution is a problem without its
    details.
    """
    if isinstance(entered, TurnedAway):
        return _IGNORED
    url = execution_url(settings, entered.execution)
    if respond == "step" and isinstance(entered.response, dict):
        return await _said(entered.response, files)
    image = entered.image
    if respond == "accepted" or image is None or not image.status.is_terminal:
        return Answer(202, JSON, json_bytes({"execution": entered.execution, "url": url}))
    if image.status is Status.SUCCEEDED:
        return Answer(200, JSON, json_bytes(entered.output))
    return _ended_badly(image, entered.execution, url)


def _ended_badly(image: Image, execution: str, url: str) -> Answer:
    """Which step, and its code: messages may quote what services say, and stay behind the API's key."""
    word = image.status.word
    step, code = (image.reason.step, image.reason.code) if image.reason else ("", "")
    where = f" at step {step}" if step else ""
    why = f" ({code})" if code else ""
    facts: dict[str, object] = {"execution": execution, "url": url, "step": step or None, "reason": code or None}
    status = 504 if image.status is Status.TIMED_OUT else 500
    title = f"The execution {word.replace('_', ' ')}" if word != "cancelled" else "The execution was cancelled"
    return problem(status, f"execution_{word}", title, f"{title}{where}{why}. Its page tells more.", facts=facts)


async def _said(response: Mapping[str, Json], files: Blobs) -> Answer:
    """A `respond` step's value: {"status", "headers", "as", "body"} (`nodes/builtin/respond.py`)."""
    status, given, body = response.get("status"), response.get("headers"), response.get("body")
    headers = [(name, str(value)) for name, value in given.items()] if isinstance(given, dict) else []
    match response.get("as"):
        case "json":
            content = json_bytes(body)
        case "text":
            content = str(body).encode("utf-8", "replace")
        case "file":
            content = await _file(body, files)
        case _:
            content = b""
    if any(name == "content-type" and any(word in value.lower() for word in _ACTIVE) for name, value in headers):
        headers.append(_SANDBOX)
    return Answer(status if isinstance(status, int) else 200, tuple(headers), content)


async def _file(body: Json, files: Blobs) -> bytes:
    name = body.get("file") if isinstance(body, dict) else None
    if not isinstance(name, str):
        raise WorkerMishapError("The step's answer names a file that is none.")
    return await files.get(name)

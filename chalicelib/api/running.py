"""Starting executions by hand or by program: with inputs alone, or with what a trigger would hand over."""

import hashlib
from collections.abc import Mapping
from typing import Final

from chalicelib.api.flows import live_of
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.times import to_text
from chalicelib.api.tools import Call, execution_url
from chalicelib.engine.records import Image, Status
from chalicelib.errors import FlowDisabledError, UsageError
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.flow.values import Json
from chalicelib.ports import Knock, TurnedAway

_LONGEST_KEY: Final = 255


async def start(call: Call) -> Answer:
    """Start an execution, and wait for its end where `wait` says so.

    The same `Idempotency-Key` of the same API key is the same execution; with another body it is a conflict.
    """
    tools, request = call.tools, call.request
    live = await live_of(call)
    if not live.enabled:
        raise FlowDisabledError
    plan = await tools.plans.plan(call.tenant, live.flow, live.version)
    trigger = _trigger(plan, call.body)
    wait = _wait(call)
    waits = wait > 0 and not live.paused  # what a paused flow starts is queued: nobody waits for that
    entered = await tools.door.enter(
        Knock(
            call.tenant,
            plan,
            trigger,
            document_of(plan.flow, trigger, call.body.get("document"), request.received)
            if trigger is not None
            else None,
            _inputs(trigger, call.body.get("inputs")),
            "result" if waits else "accepted",
            request.received,
            key=_key(request.headers),
            who=call.who,
            fingerprint=hashlib.sha256(f"{live.flow}\n".encode() + request.body).hexdigest(),
            wait_seconds=wait,
        )
    )
    if isinstance(entered, TurnedAway):
        return json_answer({"execution": None, "ignored": True}, 202)
    said: dict[str, Json] = {
        "execution": entered.execution,
        "url": execution_url(tools.settings, entered.execution),
    }
    if not wait:
        return json_answer(said, 202)
    image = entered.image
    if image is None or not image.status.is_terminal or not waits:
        unseen = "running" if waits else "queued"
        return json_answer({**said, "status": image.status.word if image else unseen}, 202)
    said["status"] = image.status.word
    if image.status is Status.SUCCEEDED:
        return json_answer({**said, "output": entered.output})
    return json_answer({**said, "reason": reason_to_json(image)})


def reason_to_json(image: Image) -> Json:
    """Why an execution ended other than well; None where it did not."""
    reason = image.reason
    return {"step": reason.step or None, "code": reason.code, "message": reason.message} if reason else None


def _trigger(plan: Plan, body: Mapping[str, Json]) -> TriggerPlan | None:
    name = body.get("trigger")
    if name is None:
        if body.get("document") is not None:
            raise UsageError("`document` is what a trigger hands over: name the `trigger` too.")
        return None
    trigger = plan.triggers.get(str(name))
    if trigger is None:
        known = ", ".join(plan.triggers) or "none"
        raise UsageError(f"The flow {plan.flow} has no such trigger. Its triggers: {known}.")
    return trigger


def _inputs(trigger: TriggerPlan | None, given: Json) -> Mapping[str, Json] | None:
    if given is None:
        return None
    if trigger is not None and trigger.inputs is not None:
        raise UsageError(
            f"The trigger {trigger.id} makes the inputs from its document: give `document`, or leave `trigger` out."
        )
    return given if isinstance(given, dict) else None


def document_of(flow: str, trigger: TriggerPlan, given: Json, received: int) -> Mapping[str, Json]:
    """What the trigger would hand over, its name and time included; a webhook's parts are there even if not given."""
    document: dict[str, Json] = {"name": trigger.id, "at": to_text(received)}
    if trigger.uses == "webhook":
        queries: dict[str, Json] = {}
        path = f"/hooks/{flow}/{trigger.id}"
        document |= {"body": None, "headers": {}, "query": {}, "queries": queries, "method": "POST", "path": path}
        document["files"] = {}
    return {**document, **(given if isinstance(given, dict) else {}), "name": trigger.id}


def _wait(call: Call) -> float:
    wait = call.query.get("wait")
    return min(float(wait), call.tools.settings.wait_seconds) if isinstance(wait, int | float) else 0.0


def _key(headers: Mapping[str, str]) -> str | None:
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise UsageError(f"Idempotency-Key is 1 to {_LONGEST_KEY} printable ASCII characters.")
    return key

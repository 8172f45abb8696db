"""Flows as they are published: listed, shown, with their versions and the addresses of their hooks."""

import json
from collections.abc import Sequence

from chalicelib.api.auth import MAIN_TENANT, Role
from chalicelib.api.hooks import methods_of
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.scopes import sees
from chalicelib.api.times import to_text
from chalicelib.api.tools import Call
from chalicelib.errors import NotFoundError
from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.flow.values import Json
from chalicelib.ports import Live, Version

_SHORTEST_PREFIX = 7


async def list_flows(call: Call) -> Answer:
    """Every published flow that is there for the caller, by name."""
    flows = await call.tools.versions.flows(call.tenant)
    return json_answer({"items": [live_to_json(live) for live in flows if sees(call.caller, live.flow)]})


async def show(call: Call) -> Answer:
    """A flow's published version: its text, its inputs, its triggers with their addresses."""
    live = await live_of(call)
    text = await call.tools.versions.text(call.tenant, live.flow, live.version)
    plan = await call.tools.plans.plan(call.tenant, live.flow, live.version)
    return json_answer(
        {
            **live_to_json(live),
            "description": plan.description,
            "timezone": plan.timezone,
            "inputs": dict(plan.inputs),
            "triggers": triggers_to_json(call, live, plan),
            "text": text,
            "document": json.loads(text),
        }
    )


async def versions(call: Call) -> Answer:
    """A flow's versions, newest first."""
    live = await live_of(call)
    history = await call.tools.versions.history(call.tenant, live.flow)
    items: list[Json] = [
        {"version": each.version, "stored": to_text(each.stored), "live": each.version == live.version}
        for each in history
    ]
    return json_answer({"items": items})


async def show_version(call: Call) -> Answer:
    """One of a flow's versions, by its hash or the beginning of it."""
    live = await live_of(call)
    history = await call.tools.versions.history(call.tenant, live.flow)
    version = find_version(history, call.names["version"])
    text = await call.tools.versions.text(call.tenant, live.flow, version)
    return json_answer({"flow": live.flow, "version": version, "text": text, "document": json.loads(text)})


def flow_name(call: Call) -> str:
    """The flow that the path names; raises NotFoundError for what cannot be one."""
    name = call.names["flow"]
    if not FLOW_NAME.fullmatch(name):
        raise NotFoundError("There is no such flow. A flow's name is made of lower-case letters, digits, - and _.")
    return name


async def live_of(call: Call) -> Live:
    """The flow's pointer as it is now; raises NotFoundError."""
    name = flow_name(call)
    live = await call.tools.versions.live(call.tenant, name)
    if live is None:
        raise NotFoundError(f"No flow {name} is published. GET /api/v1/flows lists those there are.")
    return live


def find_version(history: Sequence[Version], given: str) -> str:
    """The one version that begins like this; raises NotFoundError for none and for several."""
    found = [each.version for each in history if each.version.startswith(given)]
    if given in found:
        return given
    if len(found) != 1 or len(given) < _SHORTEST_PREFIX:
        raise NotFoundError(
            f"No version of the flow, or more than one, begins like this. Give {_SHORTEST_PREFIX} characters or all."
        )
    return found[0]


def live_to_json(live: Live) -> dict[str, Json]:
    """A pointer as everybody may see it."""
    return {
        "flow": live.flow,
        "version": live.version,
        "enabled": live.enabled,
        "paused": live.paused,
        "published": to_text(live.published),
    }


def triggers_to_json(call: Call, live: Live, plan: Plan) -> list[Json]:
    """Every trigger, those of a webhook with their address."""
    return [trigger_to_json(call, live, trigger) for trigger in plan.triggers.values()]


def trigger_to_json(call: Call, live: Live, trigger: TriggerPlan) -> Json:
    """A trigger. An address with a token starts executions: it is shown to those who may start them, else null."""
    shown: dict[str, Json] = {"id": trigger.id, "uses": trigger.uses}
    if trigger.uses != "webhook":
        return {**shown, "with": dict(trigger.parameters)} if trigger.parameters else shown
    scheme = str(trigger.verify.get("scheme")) if trigger.verify is not None else "none"
    return {
        **shown,
        "url": _url(call, live, trigger),
        "methods": list(methods_of(trigger.parameters)),
        "verify": scheme,
        "respond": trigger.respond,
    }


def _url(call: Call, live: Live, trigger: TriggerPlan) -> str | None:
    tenant = "" if live.tenant == MAIN_TENANT else f"/t/{live.tenant}"
    url = f"{call.tools.settings.base_url}{tenant}/hooks/{live.flow}/{trigger.id}"
    if trigger.verify is not None:
        return url
    token = live.tokens.get(trigger.id)
    return f"{url}/{token}" if token and call.may(Role.OPERATOR) else None

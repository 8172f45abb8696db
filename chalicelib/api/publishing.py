"""Publishing: the check first, everything at once; then the version, for good; then the pointer to it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from zoneinfo import ZoneInfoNotFoundError

from chalicelib.api.content import content_type
from chalicelib.api.flows import (
    find_version,
    flow_name,
    live_of,
    live_to_json,
    trigger_to_json,
    triggers_to_json,
)
from chalicelib.api.hooks import verification_of
from chalicelib.api.pins import NO_PLUGINS, pinned, plugins_for
from chalicelib.api.problems import problem_to_json
from chalicelib.api.request import Answer, Request, json_answer
from chalicelib.api.times import to_milliseconds
from chalicelib.api.tools import Call
from chalicelib.catalogue import build, entries
from chalicelib.errors import (
    BodyUnreadableError,
    ConflictError,
    NotFoundError,
    Problem,
    UsageError,
)
from chalicelib.flow.check import Report, check, refuse, refuse_text
from chalicelib.flow.check_nodes import Build
from chalicelib.flow.listening import listens_of
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.flow.text import Document, read_draft, read_json
from chalicelib.flow.values import Json
from chalicelib.kit.cron import ever_fires, schedule_of
from chalicelib.ports import Live
from chalicelib.signing.inbound import scheme_names, scheme_row

_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/vnd.yaml"})
_TRIES = 2
"""Somebody else may publish at the same moment; a second look settles it, a third would be a race."""


async def publish(call: Call) -> Answer:
    """Check a flow file and make it the published version; the same one again changes nothing.

    Raises FlowTextError and FlowCheckError with every problem and its place, ConflictError where others keep
    publishing.
    """
    tools, name = call.tools, flow_name(call)
    document = _read(call.request, name)
    plugins = await plugins_for(call, document.data)
    report = checked(document, name, plugins)
    data = pinned(document.data, plugins)
    version, text = version_of(data, tools.settings.stage_vars)
    known = await tools.versions.live(call.tenant, name)
    plan = make_plan(data, {**plugins, **entries()}, stage_vars=tools.settings.stage_vars)
    warnings: list[Json] = [problem_to_json(each) for each in report.warnings]
    if call.query.get("dry_run"):
        return json_answer(
            {
                "flow": name,
                "version": version,
                "enabled": known.enabled if known else True,
                "paused": known.paused if known else False,
                "changed": known is None or known.version != version,
                "warnings": warnings,
            }
        )
    now = to_milliseconds(tools.clock.now())
    await tools.versions.put(call.tenant, name, version, text, now)

    def point(live: Live | None) -> Live:
        before = live or Live(call.tenant, name, "", enabled=True, published=0, rev=0)
        return _pointed(call, before, plan, now)

    before, live = await _move(call, name, plan, point)
    changed = before is None or before.version != live.version
    return json_answer(_published(call, live, plan, changed=changed, warnings=warnings), 200 if known else 201)


async def roll_back(call: Call) -> Answer:
    """Point to a version that was published before."""
    tools, live = call.tools, await live_of(call)
    history = await tools.versions.history(call.tenant, live.flow)
    version = find_version(history, str(call.body["version"]))
    plan = await tools.plans.plan(call.tenant, live.flow, version)
    now = to_milliseconds(tools.clock.now())
    before, after = await _move(call, live.flow, plan, lambda seen: _pointed(call, seen or live, plan, now))
    changed = before is None or before.version != after.version
    return json_answer(_published(call, after, plan, changed=changed, warnings=[]))


async def enable(call: Call) -> Answer:
    """Let the flow start executions."""
    _, live = await _switch(call, enabled=True)
    return json_answer(live_to_json(live))


async def disable(call: Call) -> Answer:
    """Let the flow start no more executions."""
    _, live = await _switch(call, enabled=False)
    return json_answer(live_to_json(live))


async def pause(call: Call) -> Answer:
    """Let what the flow starts wait in the queue."""
    _, live = await _switch(call, paused=True)
    return json_answer(live_to_json(live))


async def resume(call: Call) -> Answer:
    """Let it start again, and wake what was queued; where it was not paused too: an earlier try may have died."""
    _, live = await _switch(call, paused=False)
    woken = await call.tools.door.resume_flow(call.tenant, live.flow)
    return json_answer({**live_to_json(live), "woken": woken})


async def rotate(call: Call) -> Answer:
    """A new token for a trigger that verifies nothing."""
    live = await live_of(call)
    plan = await call.tools.plans.plan(call.tenant, live.flow, live.version)
    trigger = plan.triggers.get(call.names["trigger"])
    if trigger is None or not _needs_token(trigger):
        raise NotFoundError("The flow has no webhook trigger of this name that verifies nothing.")
    token = call.tools.ids.token()

    def renewed(seen: Live | None) -> Live:
        before = seen or live
        return replace(before, rev=before.rev + 1, tokens={**before.tokens, trigger.id: token})

    _, after = await _move(call, live.flow, plan, renewed)
    return json_answer(trigger_to_json(call, after, trigger))


def checked(document: Document, name: str, plugins: Mapping[str, Json] = NO_PLUGINS) -> Report:
    """As `reported`; raises FlowTextError where the text itself has problems, else FlowCheckError, with all of them."""
    report = reported(document, name, plugins)
    refuse_text(document, report)
    refuse(report, document.name)
    return report


def reported(document: Document, name: str, plugins: Mapping[str, Json] = NO_PLUGINS) -> Report:
    """All that the check has to say, wherever a flow is checked: in publishing, on the command line, in a folder.

    Beyond `flow.check` it knows the schemes there are with their options, what clocks do to a schedule, and the name
    that the address says. `plugins` are the nodes of plugins, by type.
    """
    dashed = scheme_names()
    schemes = {*dashed, *(scheme.replace("-", "_") for scheme in dashed)}
    report = check(document, {**plugins, **entries()}, schemes=schemes, build=_builder(plugins))
    problems = [*report.problems, *_scheme_problems(document), *_schedule_problems(document)]
    given = document.data.get("flow")
    if isinstance(given, str) and given != name:
        place = document.place(("flow",))
        what = f"The file calls the flow `{given[:60]}`, and the address `{name}`."
        problems.append(Problem(document.name, place.line, place.column, what, "Let both say the same."))
    problems.sort(key=lambda one: (one.line, one.column))
    return Report(tuple(problems), report.warnings)


def _builder(plugins: Mapping[str, Json]) -> Build:
    """`catalogue.build`, and nothing for the nodes of plugins: the check has held them against all that is declared."""
    return lambda uses, parameters: None if uses in plugins else build(uses, parameters)


def _read(request: Request, name: str) -> Document:
    """The file in the body, by its content type."""
    kind = content_type(request.headers).kind
    if not request.body:
        raise BodyUnreadableError("The body is empty. Send the flow file.")
    if kind == "application/json":
        return read_json(request.body, f"{name}.json")
    if kind in _YAML:
        return read_draft(request.body, f"{name}.yaml")
    raise BodyUnreadableError("Send the flow file as Content-Type: application/yaml or application/json.")


def _scheme_problems(document: Document) -> list[Problem]:
    """Options that a verification scheme does not have, or lacks: the sender would find them first otherwise."""
    triggers, found = document.data.get("triggers"), list[Problem]()
    known = scheme_names()
    for name, trigger in triggers.items() if isinstance(triggers, dict) else ():
        given = trigger.get("verify") if isinstance(trigger, dict) else None
        if not isinstance(given, dict):
            continue
        scheme, options = verification_of(given)
        if scheme not in known:
            continue  # the check has said so
        try:
            scheme_row(scheme, options)
        except UsageError as error:
            at = ("triggers", name, "verify")
            named = next((option for option in options if re.search(rf"\b{re.escape(option)}\b", error.detail)), None)
            place = (document.keys.get((*at, named)) if named else None) or document.place(at)
            found.append(Problem(document.name, place.line, place.column, error.detail, "Mend `verify`."))
    return found


def _schedule_problems(document: Document) -> list[Problem]:
    """Schedules that would never fire where the flow is: each time they name falls into the hour that clocks skip."""
    triggers, found = document.data.get("triggers"), list[Problem]()
    for name, trigger in triggers.items() if isinstance(triggers, dict) else ():
        given = trigger.get("with") if isinstance(trigger, dict) and trigger.get("uses") == "schedule" else None
        if not isinstance(given, dict):
            continue
        zone = str(given.get("timezone") or document.data.get("timezone") or "UTC")
        try:
            fires = ever_fires(schedule_of(given), zone)
        except (ValueError, ZoneInfoNotFoundError):
            continue  # the check has said so
        if not fires:
            place = document.place(("triggers", name, "with", "cron"))
            what = f"`cron` never fires in {zone}: every time that it names is one that its clocks leave out."
            do = "Name another hour, or write `timezone: UTC`."
            found.append(Problem(document.name, place.line, place.column, what, do))
    return found


def _pointed(call: Call, before: Live, plan: Plan, now: int) -> Live:
    """The pointer to a plan's version: tokens are kept, and made where a trigger needs its first."""
    tokens = dict(before.tokens)
    for trigger in plan.triggers.values():
        if _needs_token(trigger) and trigger.id not in tokens:
            tokens[trigger.id] = call.tools.ids.token()
    listens = listens_of(plan)
    if (before.version, before.tokens, before.listens) == (plan.version, tokens, listens):
        return before
    return replace(before, version=plan.version, published=now, rev=before.rev + 1, tokens=tokens, listens=listens)


def _needs_token(trigger: TriggerPlan) -> bool:
    return trigger.uses == "webhook" and trigger.verify is None


async def _switch(call: Call, *, enabled: bool | None = None, paused: bool | None = None) -> tuple[Live | None, Live]:
    """The pointer before and after one of its switches was set."""
    live = await live_of(call)
    plan = await call.tools.plans.plan(call.tenant, live.flow, live.version)

    def switched(seen: Live | None) -> Live:
        before = seen or live
        after = replace(
            before,
            enabled=before.enabled if enabled is None else enabled,
            paused=before.paused if paused is None else paused,
        )
        if after == before:
            return before
        since = to_milliseconds(call.tools.clock.now()) if after.enabled and not before.enabled else before.since
        return replace(after, rev=before.rev + 1, since=since)

    return await _move(call, live.flow, plan, switched)


async def _move(call: Call, flow: str, plan: Plan, to: Callable[[Live | None], Live]) -> tuple[Live | None, Live]:
    """Write the pointer as it is to be, given what it is; tell who depends on it. The pointer before, and after."""
    tools = call.tools
    for _ in range(_TRIES):
        before = await tools.versions.live(call.tenant, flow)
        after = to(before)
        if after is before or await tools.versions.set_live(after):
            tools.plans.forget(call.tenant, flow)
            if after.version != plan.version:  # switched, while somebody published
                plan = await tools.plans.plan(call.tenant, flow, after.version)
            await tools.on_published(after, plan)
            return before, after
    raise ConflictError(f"Flow {flow} is being changed by somebody else. Look at it, then try again.")


def _published(call: Call, live: Live, plan: Plan, *, changed: bool, warnings: list[Json]) -> dict[str, Json]:
    return {
        **live_to_json(live),
        "changed": changed,
        "triggers": triggers_to_json(call, live, plan),
        "warnings": warnings,
    }

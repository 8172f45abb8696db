"""What `penstock dev` says once it listens: where it is, its hooks, and one line to try it with."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chalicelib.flow.credentials import missing
from chalicelib.flow.plan import Plan
from chalicelib.local.keys import AdminKey
from chalicelib.local.shelf import Published

MOST_LINES = 10
WIDEST = 160


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is to tell."""

    base_url: str
    store: Path
    folder: Path
    key: AdminKey
    published: Sequence[Published]
    upcoming: Sequence[tuple[str, str, datetime]]
    plans: Mapping[str, Plan]
    """Of everything that is published, by the flow's name."""
    credentials: Sequence[str]
    """The names of those that are set."""
    allow_private: Sequence[str]
    resumed: int
    only_hosts: Sequence[str] = ()
    is_open: bool = False
    """It listens on more than this machine's loopback."""


def welcome(now: Situation) -> list[str]:
    """At most ten lines; what does not fit is counted, with the command that shows it."""
    before = [
        _line("penstock", f"{now.base_url}   store {now.store}   {_stop(now)}"),
        _key(now.key),
        _line(
            "flows", _listed([each.flow for each in now.published]) or f"none yet: put a flow file into {now.folder}"
        ),
    ]
    after: list[str] = []
    if now.upcoming:
        flow, trigger, at = now.upcoming[0]
        more = f", and {len(now.upcoming) - 1} more" if len(now.upcoming) > 1 else ""
        after.append(_line("next", f"{flow}/{trigger} at {at:%Y-%m-%d %H:%M:%S} UTC{more}"))
    if absent := missing(now.plans.values(), now.credentials):
        after.append(_line("not set", _listed([f"PENSTOCK_CREDENTIAL_{name.upper()}" for name in absent])))
    if now.allow_private:
        after.append(_line("private", f"flows may also call {_listed(now.allow_private)}"))
    if now.only_hosts:
        after.append(_line("hosts", f"flows may call {_listed(now.only_hosts)} and nothing else"))
    if now.resumed:
        after.append(_line("resumed", f"{now.resumed} executions that an earlier start left unfinished"))
    after.append(_line("try", _curl(now)))
    return [*before, *_hooks(now.published, MOST_LINES - len(before) - len(after)), *after]


def to_data(now: Situation) -> dict[str, Any]:
    """The same as JSON, whole; the key itself is never in it."""
    return {
        "url": now.base_url,
        "store": str(now.store),
        "key_file": str(now.key.file) if now.key.file is not None else None,
        "flows": [each.answer for each in now.published],
        "upcoming": [{"flow": flow, "trigger": trigger, "at": at.isoformat()} for flow, trigger, at in now.upcoming],
        "missing_credentials": missing(now.plans.values(), now.credentials),
        "allow_private": list(now.allow_private),
        "only_hosts": list(now.only_hosts),
        "resumed": now.resumed,
    }


def _stop(now: Situation) -> str:
    return "OPEN TO THE NETWORK   Ctrl-C stops it" if now.is_open else "Ctrl-C stops it"


def _line(head: str, text: str) -> str:
    return f"{head:<9} {text}"


def _key(key: AdminKey) -> str:
    if key.file is None:
        return _line("key", "as PENSTOCK_ADMIN_KEY_HASH says; the command line needs PENSTOCK_KEY")
    if key.new is not None:
        return _line("key", f"{key.new}   shown this once, kept in {key.file}, where the command line finds it")
    return _line("key", f"in {key.file}; elsewhere: export PENSTOCK_KEY=$(cat {shlex.quote(str(key.file))})")


def _listed(names: Sequence[str]) -> str:
    """Names in a row, as many as fit a line."""
    for shown in range(len(names), 0, -1):
        text = ", ".join(names[:shown]) + (f", and {len(names) - shown} more" if shown < len(names) else "")
        if len(text) <= WIDEST or shown == 1:
            return text
    return ""


def _webhooks(published: Sequence[Published]) -> list[tuple[str, dict[str, Any]]]:
    """Every webhook trigger with its flow; those that anybody can call at once come first."""
    found = [
        (each.flow, trigger)
        for each in published
        for trigger in each.answer["triggers"]
        if trigger["uses"] == "webhook"
    ]
    return sorted(found, key=lambda one: one[1]["verify"] != "none")


def _hooks(published: Sequence[Published], room: int) -> list[str]:
    found = _webhooks(published)
    shown = found if len(found) <= room else found[: room - 1]
    lines = [
        _line("hook", f"{trigger['url']}" + ("" if trigger["verify"] == "none" else f"   signed: {trigger['verify']}"))
        for _, trigger in shown
    ]
    if len(found) > len(shown):
        lines.append(_line("", f"and {len(found) - len(shown)} more hooks: penstock flows show NAME"))
    return lines


def _curl(now: Situation) -> str:
    """One line that works as it stands: an open hook, a flow with the input it is tried on, or the list of flows."""
    for _, trigger in _webhooks(now.published):
        if trigger["verify"] == "none":
            method = trigger["methods"][0]
            asked = "" if method == "GET" else f"-X {method} -H 'content-type: application/json' -d '{{}}' "
            return f"curl {asked}{trigger['url']}"
    key = "$PENSTOCK_KEY" if now.key.file is None else f"$(cat {shlex.quote(str(now.key.file))})"
    head = f'curl -H "Authorization: Bearer {key}"'
    for each in now.published:
        body = _example(each, now)
        if body is not None:
            url = f"{now.base_url}/api/v1/flows/{each.flow}/run?wait=10"
            return f"{head} -H 'content-type: application/json' -d \"{body}\" '{url}'"
    return f"{head} {now.base_url}/api/v1/flows"


def _example(published: Published, now: Situation) -> str | None:
    """The body that runs a flow on the input beside it, to stand in double quotes; None where that would not work."""
    plan = now.plans.get(published.flow)
    path = published.path.with_name(f"{published.path.stem}.input.json")
    if plan is None or {step.credential for step in plan.by_id.values()} - {None, *now.credentials}:
        return None
    try:
        given = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    file = f"$(cat {shlex.quote(str(path))})"
    if isinstance(given, dict) and given.keys() <= plan.inputs.keys():
        return f'{{\\"inputs\\": {file}}}'
    for trigger in plan.triggers.values():
        if trigger.uses == "webhook":
            return f'{{\\"trigger\\": \\"{trigger.id}\\", \\"document\\": {{\\"body\\": {file}}}}}'
    return None

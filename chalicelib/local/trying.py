"""One flow, run in this very process: what `penstock run` does. The same house as the server's, without its socket."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chalicelib.errors import FlowDisabledError, PenstockError, UsageError
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.local.answers import OPEN
from chalicelib.local.folder import flow_files
from chalicelib.local.inside import Inside, OwnKey
from chalicelib.local.keys import fetch_link_key
from chalicelib.local.shelf import Shelf
from chalicelib.wiring import Embedded, EmbeddedSettings

LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Trial:
    """What to run, and on what."""

    path: Path
    """The flow file."""
    flows: Path
    """The folder whose other flows it may call."""
    environment: Mapping[str, str]
    """Credentials."""
    store: Path | None = None
    """None: a store of its own, gone afterwards."""
    trigger: str | None = None
    given: Json = None
    """The inputs; with a webhook trigger the body of its delivery, with another one its document."""
    is_document: bool = False
    """`given` is all that the trigger hands over: `body`, `headers`, `query` and so on."""
    allow_private: tuple[str, ...] = ()
    only_hosts: tuple[str, ...] = ()
    vault_store: Path | None = None
    """The store whose vault is opened where `store` is None: the server's, which may be running."""


async def run_trial(trial: Trial, look: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Run it to its end; the execution as the API shows it. `look` is told how it stands, again and again.

    A trigger whose `if` is false starts nothing: then {"execution": None, "ignored": True}.
    Raises what publishing and starting raise: FlowTextError and FlowCheckError with every problem, UsageError.
    """
    async with _embedded(trial) as (embedded, inside):
        shelf = Shelf(inside, trial.path.parent, _nowhere)
        published = await shelf.publish(trial.path)
        if not published.answer["enabled"]:
            raise FlowDisabledError(f"{published.flow} is disabled in {trial.store}. Enable it, or leave --store out.")
        if published.answer["paused"]:
            raise FlowDisabledError(f"{published.flow} is paused in {trial.store}. Resume it, or leave --store out.")
        live = await embedded.plans.live("main", published.flow)
        if live is None:
            raise UsageError(f"{trial.path} was published, and is not there any more. Who else uses {trial.store}?")
        plan = await embedded.plans.plan(live.tenant, live.flow, live.version)
        calls = any(step.uses == "call" for step in plan.by_id.values())
        if calls:
            await _publish_others(shelf, trial)
        await embedded.start()
        started = await inside.ask("POST", f"/api/v1/flows/{published.flow}/run", body=_body(trial, plan))
        if started["execution"] is None:
            return started
        shown = await _watched(embedded, inside, started["execution"], look)
        await embedded.drain(60.0 if calls else 1.0)  # for flows that were called
        return shown


async def _watched(
    embedded: Embedded, inside: Inside, execution: str, look: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Look at it until it has ended."""
    ended = embedded.ends.of(execution)
    try:
        while True:
            await asyncio.wait({ended}, timeout=LOOK_SECONDS)
            try:
                shown: dict[str, Any] = await inside.ask("GET", f"/api/v1/executions/{execution}")
            except PenstockError as error:
                if error.code != "not_found":  # it is in the queue still
                    raise
                continue
            look(shown)
            if shown["status"] not in OPEN:
                return shown
    finally:
        ended.cancel()
        embedded.ends.leave(execution)


@contextlib.asynccontextmanager
async def _embedded(trial: Trial) -> AsyncGenerator[tuple[Embedded, Inside]]:
    """A house of its own, and a way to ask it."""
    own = OwnKey()
    with contextlib.ExitStack() as stack:
        store = trial.store
        if store is None:
            store = Path(stack.enter_context(TemporaryDirectory(prefix="penstock-"))) / "store.db"
        embedded = await Embedded.open(
            EmbeddedSettings(
                store=store,
                base_url="http://127.0.0.1:8700",
                environment=trial.environment,
                allow_private=trial.allow_private,
                only_hosts=trial.only_hosts,
                keys=(own.hash,),
                link_key=lambda: fetch_link_key(store.parent),
                vault_store=trial.vault_store if trial.store is None else None,
                step_by_step=True,
            )
        )
        try:
            yield embedded, Inside(embedded.api, embedded.clock, own)
        finally:
            await embedded.close()


async def _publish_others(shelf: Shelf, trial: Trial) -> None:
    """The other flows of the folder, so that they can be called; one with mistakes is as if it were not there."""
    for path in flow_files(trial.flows) if trial.flows.is_dir() else ():
        if path.resolve() != trial.path.resolve():
            with contextlib.suppress(PenstockError):
                await shelf.publish(path)


def _body(trial: Trial, plan: Plan) -> dict[str, Json]:
    """What the API's `run` route takes."""
    given = trial.given
    if trial.trigger is None:
        if not isinstance(given, dict | None):
            raise UsageError('The input is a JSON object of the flow\'s inputs: {"name": ...}.')
        return {"inputs": given} if given is not None else {}
    trigger = plan.triggers.get(trial.trigger)
    if trigger is None:
        known = ", ".join(plan.triggers) or "none"
        raise UsageError(f"The flow {plan.flow} has no trigger {trial.trigger}. Its triggers: {known}.")
    if trigger.uses == "webhook" and not trial.is_document:
        return {"trigger": trigger.id, "document": {"body": given}}
    if not isinstance(given, dict | None):
        raise UsageError(f"What the trigger {trigger.id} hands over is a JSON object.")
    if trigger.uses == "manual" and not trial.is_document:
        return {"trigger": trigger.id, "inputs": given or {}}
    return {"trigger": trigger.id, "document": given or {}}


def _nowhere(line: str) -> None:
    """What becomes of files is told by what is raised."""
    del line

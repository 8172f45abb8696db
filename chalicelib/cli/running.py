"""`penstock run`: try a flow in this process, watch its steps, get its output."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.cli.checking import find
from chalicelib.cli.exits import Exit
from chalicelib.cli.options import FLOWS, STORE, AllowPrivate, AsJson, Flows, OnlyHosts
from chalicelib.cli.printing import note, say_json
from chalicelib.errors import BodyUnreadableError, UsageError

_MOST_INPUT = 50_000_000


def run(
    flow: Annotated[str, typer.Argument(help="A flow file, or the name of a flow in the folder of flows.")],
    given: Annotated[str | None, typer.Option("--input", metavar="FILE|-", help="JSON; - reads stdin.")] = None,
    trigger: Annotated[
        str | None, typer.Option(metavar="ID", help="Start as this trigger; for a webhook, the input is the body.")
    ] = None,
    document: Annotated[
        bool, typer.Option("--document", help="With --trigger: the input is all it hands over: body, headers, query.")
    ] = False,
    flows: Flows = FLOWS,
    store: Annotated[Path | None, typer.Option(help="Keep the execution there; else it leaves no trace.")] = None,
    *,
    allow_private: AllowPrivate = None,
    only_host: OnlyHosts = None,
    as_json: AsJson = False,
) -> None:
    """Run a flow here: its steps on stderr as they go, its output on stdout. Exits with 1 if the execution failed."""
    if document and trigger is None:
        raise UsageError("--document says what the input is for a trigger: name the trigger with --trigger.")
    import asyncio  # imported late, as the house itself

    from chalicelib.cli.steps import Watch
    from chalicelib.local import loops
    from chalicelib.local.trying import Trial, run_trial

    trial = Trial(
        find(flow, flows),
        flows,
        os.environ,
        store=store,
        trigger=trigger,
        given=read_input(given) if given is not None else None,
        is_document=document,
        allow_private=tuple(allow_private or ()),
        only_hosts=tuple(only_host or ()),
        vault_store=STORE,
    )
    with Watch() as watch, asyncio.Runner(loop_factory=loops.quickest()) as runner:
        execution = runner.run(run_trial(trial, without_links(watch.look)))
    finish(execution, as_json=as_json)


def without_links(look: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """The same look at executions that nobody can answer, since nothing is served: said once, and no address shown."""
    has_said = False

    def looks(execution: dict[str, Any]) -> None:
        nonlocal has_said
        unserved = [step for step in execution["steps"] if step.get("link")]
        for step in unserved:
            step["link"] = None
        look(execution)
        if unserved and not has_said:
            has_said = True
            note("It waits for an answer, and nobody can answer what `run` runs: serve the flow with `penstock dev`.")

    return looks


def finish(execution: dict[str, Any], *, as_json: bool) -> None:
    """Print an execution that has ended: its output, or with `--json` all of it; exit 1 where it did not end well."""
    if execution.get("ignored"):
        note("The trigger's `if` is false: no execution.")
        if as_json:
            say_json(execution)
        return
    is_good = execution["status"] == "succeeded"
    if as_json:
        say_json(execution)
    elif is_good:
        say_json(execution["output"])
    if not is_good:
        note(reason_of(execution))
        raise typer.Exit(Exit.FAILED)


def reason_of(execution: dict[str, Any]) -> str:
    """Why an execution did not end well, in a line."""
    reason: dict[str, Any] = execution.get("reason") or {"step": None}
    where = f" at step {reason['step']}" if reason.get("step") else ""
    why = f" ({reason['code']}): {reason['message']}" if "code" in reason else ""
    return f"{execution['flow']} {execution['status'].replace('_', ' ')}{where}{why}"


def read_input(given: str) -> Any:
    """The input as JSON; a file that is neither `.json` nor stdin is text."""
    from chalicelib.api.json_body import read_json  # imported late: it brings the readers of bodies

    if given == "-":
        content = sys.stdin.buffer.read(_MOST_INPUT + 1)
    else:
        from chalicelib.local.folder import read_file  # imported late, as above

        content = read_file(Path(given))
    if len(content) > _MOST_INPUT:
        raise UsageError(f"The input is over {_MOST_INPUT:,} bytes.")
    if given != "-" and Path(given).suffix.lower() != ".json":
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(f"{given} is not UTF-8: the byte at offset {error.start} does not fit.") from error
    try:
        return read_json(content)
    except BodyUnreadableError as error:
        name = "stdin" if given == "-" else given
        raise UsageError(f"{name} holds no JSON that can be read. {error.detail}") from error

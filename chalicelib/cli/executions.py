"""`penstock executions`: what has run on a server, and what runs."""

import sys
import time
from typing import Annotated, Any

import typer

from chalicelib.cli.options import AsJson
from chalicelib.cli.printing import console, note, say, say_json, say_table
from chalicelib.cli.running import finish, read_input, reason_of
from chalicelib.cli.steps import Watch, line_of, table_of
from chalicelib.errors import NotFoundError
from chalicelib.local.answers import OPEN

app = typer.Typer(help="What has run on a server, and what runs.", no_args_is_help=True)

LOOK_SECONDS = 0.5
MOST_LOOKS_IN_VAIN = 4
"""An execution that was only just accepted is in the queue, and not there to be looked at for a moment."""
_Id = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]


@app.command("list")
def list_executions(
    flow: Annotated[str | None, typer.Option(help="Only of this flow.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only with this status: queued, running, paused, failed ...")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only those started since then: 2026-11-20T07:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Only those started until then.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=100)] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on behind the page that named this.")] = None,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    given = {"flow": flow, "status": status, "since": since, "until": until, "limit": str(limit), "cursor": cursor}
    page = _ask("GET", query={name: value for name, value in given.items() if value is not None})
    if as_json:
        say_json(page)
        return
    rows = [
        (each["id"], each["flow"], each["status"], each["trigger"] or "", each["started"], each["ended"] or "")
        for each in page["items"]
    ]
    say_table(("id", "flow", "status", "trigger", "started", "ended"), rows)
    if not rows:
        note("There is none.")
    if page["cursor"]:
        note(f"There are more: --cursor {page['cursor']}")


@app.command()
def show(execution: _Id, as_json: AsJson = False) -> None:
    """Show an execution: every step with what it was given, what came of it, its attempts and times."""
    shown = _ask("GET", execution)
    if as_json:
        say_json(shown)
        return
    if sys.stdout.isatty():
        console(sys.stdout).print(table_of(shown))
    else:
        say(f"{shown['flow']}\t{shown['id']}\t{shown['status']}")
        for step in shown["steps"]:
            say(line_of(step))
    if shown["status"] == "succeeded":
        say_json(shown["output"])
    elif shown["reason"]:
        say(reason_of(shown))


@app.command()
def cancel(
    execution: _Id,
    message: Annotated[str | None, typer.Option(help="Why; shown with the execution.")] = None,
    as_json: AsJson = False,
) -> None:
    """Stop an execution: nothing new is started."""
    answer = _ask("POST", execution, "cancel", body={"message": message} if message else {})
    _tell(answer, answer["status"], as_json=as_json)


@app.command()
def retry(
    execution: _Id,
    follow: Annotated[bool, typer.Option("--watch", help="Watch the new execution to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a new execution of the same version with the same input."""
    answer = _ask("POST", execution, "retry")
    if follow:
        note(f"execution {answer['execution']}")
        watch(answer["execution"], as_json=as_json)
        return
    _tell(answer, "started", as_json=as_json)


@app.command()
def pause(execution: _Id, as_json: AsJson = False) -> None:
    """Start nothing more in an execution until it is resumed; what is under way is recorded."""
    answer = _ask("POST", execution, "pause")
    _tell(answer, answer["status"], as_json=as_json)


@app.command()
def resume(execution: _Id, as_json: AsJson = False) -> None:
    """Go on with an execution that was paused."""
    answer = _ask("POST", execution, "resume")
    _tell(answer, answer["status"], as_json=as_json)


@app.command()
def redrive(
    execution: _Id,
    step: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="From this step: it and all after it run again.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Repeat an at-most-once step too, whose effect may have happened.")
    ] = False,
    follow: Annotated[bool, typer.Option("--watch", help="Watch it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Go on with an execution that ended badly, from the steps that failed; what succeeded is kept."""
    answer = _ask("POST", execution, "redrive", body={**({"step": step} if step else {}), "force": force})
    if follow:
        watch(execution, as_json=as_json)
        return
    _tell(answer, answer["status"], as_json=as_json)


@app.command()
def answer(
    execution: _Id,
    step: Annotated[str, typer.Argument(help="The step that waits.")],
    port: Annotated[str, typer.Option(help="Of an approval: approved or rejected; of a callback: received.")],
    comment: Annotated[str | None, typer.Option(help="Of an approval: why.")] = None,
    value: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Of a callback: its body, as JSON; - reads stdin.")
    ] = None,
    link: Annotated[
        str | None, typer.Option(metavar="URL", help="Of a step in a loop, which waits once a turn: that turn's link.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a step that waits: approve, reject, or send what a callback waits for."""
    body: dict[str, Any] = {"port": port}
    if comment is not None:
        body["comment"] = comment
    if value is not None:
        body["value"] = read_input(value)
    if link is not None:
        body["link"] = link
    said = _ask("POST", execution, "steps", step, "answer", body=body)
    _tell(said, port, as_json=as_json)


@app.command()
def watch(execution: _Id, as_json: AsJson = False) -> None:
    """Watch an execution to its end: its steps on stderr, its output on stdout. Exits with 1 if it failed."""
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx

    path = path_of("executions", execution)
    looks = 0
    with client() as server, Watch() as live:
        while True:
            looks += 1
            try:
                shown = server.ask("GET", path)
            except NotFoundError:
                if looks >= MOST_LOOKS_IN_VAIN:
                    raise
                time.sleep(LOOK_SECONDS)
                continue
            looks = MOST_LOOKS_IN_VAIN
            live.look(shown)
            if shown["status"] not in OPEN:
                break
            time.sleep(LOOK_SECONDS)
    finish(shown, as_json=as_json)


def _ask(method: str, *parts: str, query: dict[str, str] | None = None, body: Any = None) -> Any:
    from chalicelib.cli.client import client, path_of  # imported late, as above

    with client() as server:
        return server.ask(method, path_of("executions", *parts), query=query, body=body)


def _tell(answer: dict[str, Any], word: str, *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
        return
    say(f"{answer['execution']}\t{word}")

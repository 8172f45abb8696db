"""`penstock publish`: flow files to a server, through its API."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chalicelib.cli.exits import exit_of
from chalicelib.cli.flows import state_of
from chalicelib.cli.options import FLOWS, AsJson, Files, Flows, To
from chalicelib.cli.printing import note, note_error, problems_to_json, say, say_json
from chalicelib.errors import PenstockError, Problem, UsageError
from chalicelib.local.folder import flow_files_of, name_of, read_to_publish
from chalicelib.local.shelf import CONTENT_TYPES, YAML, in_file

if TYPE_CHECKING:
    from chalicelib.cli.client import Client


def publish(
    files: Files = None,
    to: To = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Let the server check; nothing is stored.")] = False,
    flows: Flows = FLOWS,
    as_json: AsJson = False,
) -> None:
    """Publish flow files to a server. Every file is checked there before any is published."""
    from chalicelib.cli.client import client  # imported late: it brings httpx

    paths = flow_files_of(files or (), flows)
    if not paths:
        raise UsageError(f"There is no flow file in {flows}.")
    with client(to) as server:
        answers, refusals = _checked(server, paths)
        if not refusals and not dry_run:
            answers = [_put(server, path, is_dry=False) for path in paths]
    if refusals:
        if as_json:
            say_json({"server": server.url, "files": [_refusal(path, error) for path, error in refusals]})
        for _, error in refusals:
            note_error(error, as_json=as_json)
        note("Nothing was published.")
        raise typer.Exit(max(exit_of(error) for _, error in refusals))
    if as_json:
        say_json({"server": server.url, "files": answers})
        return
    for answer in answers:
        _tell(answer, is_dry=dry_run)


def _checked(server: "Client", paths: Sequence[Path]) -> tuple[list[dict[str, Any]], list[tuple[Path, PenstockError]]]:
    """What the server says of each file: its answers, and the files it would refuse for what they say."""
    answers: list[dict[str, Any]] = []
    refusals: list[tuple[Path, PenstockError]] = []
    for path in paths:
        try:
            answers.append(_put(server, path, is_dry=True))
        except PenstockError as error:
            if not error.problems:  # not about this file: no server, no key
                raise
            refusals.append((path, error))
    return answers, refusals


def _put(server: "Client", path: Path, *, is_dry: bool) -> dict[str, Any]:
    from chalicelib.cli.client import path_of  # imported late, as above

    document = read_to_publish(path)
    try:
        answer: dict[str, Any] = server.ask(
            "PUT",
            path_of("flows", name_of(document, path)),
            query={"dry_run": "true"} if is_dry else None,
            content=document.text.encode(),
            content_type=CONTENT_TYPES.get(path.suffix.lower(), YAML),
        )
    except PenstockError as error:
        raise in_file(error, path) from error
    return {"file": str(path), **answer}


def _refusal(path: Path, error: PenstockError) -> dict[str, Any]:
    return {"file": str(path), "error": error.detail, "problems": problems_to_json(error.problems)}


def _tell(answer: dict[str, Any], *, is_dry: bool) -> None:
    verb = "good" if is_dry else "published" if answer["changed"] else "as it was"
    state = state_of(answer)
    say("\t".join([answer["flow"], answer["version"][:12], verb, *([state] if state != "enabled" else [])]))
    for trigger in answer.get("triggers", ()):
        if trigger.get("url"):
            note(f"  {trigger['id']}: {trigger['url']}")
    for each in answer["warnings"]:
        note(f"{Problem(answer['file'], each['line'], each['column'], each['what'], each['do'])}  (a warning)")

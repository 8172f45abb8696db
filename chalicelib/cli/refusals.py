"""`penstock refusals`: the deliveries that a server refused."""

from typing import Annotated

import typer

from chalicelib.cli.options import AsJson
from chalicelib.cli.printing import note, say_json, say_table


def refusals(
    flow: Annotated[str | None, typer.Argument(metavar="FLOW", help="Only of this flow.")] = None,
    days: Annotated[int, typer.Option(help="Of so many days, today among them (UTC).", min=1, max=30)] = 7,
    as_json: AsJson = False,
) -> None:
    """Count the deliveries that were refused, by day, flow, trigger and reason."""
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx

    query = {"days": str(days), **({"flow": flow} if flow is not None else {})}
    with client() as server:
        answer = server.ask("GET", path_of("refusals"), query=query)
    if as_json:
        say_json(answer["items"])
        return
    rows = [
        (each["day"], each["flow"] or "-", each["trigger"] or "-", each["reason"], str(each["count"]), each["last"])
        for each in answer["items"]
    ]
    say_table(("day", "flow", "trigger", "reason", "count", "last"), rows)
    if not rows:
        note(f"Nothing was refused since {answer['since']}.")

"""`penstock credentials connect`: where a person agrees, and whether they did."""

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from chalicelib.cli.exits import Exit
from chalicelib.cli.options import AsJson, To
from chalicelib.cli.printing import note, say, say_json, shown
from chalicelib.errors import CutOffError, NotSentError, PenstockError, TimedOutError

if TYPE_CHECKING:
    from chalicelib.cli.client import Client

_MOST_FAILURES: Final = 5
"""So often in a row a server may not answer while it is waited for."""


def connect(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A credential of a type that a person agrees to.")],
    wait: Annotated[bool, typer.Option(help="Wait until the person has agreed, or has not.")] = True,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.01, max=60.0)] = 2.0,
    to: To = None,
    as_json: AsJson = False,
) -> None:
    """Connect a credential to an account: open the address that this prints, and agree there.

    Whoever agrees connects their account, so send the address to nobody else. Exits with 1 where nobody agreed in time.
    """
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx

    with client(to) as server:
        begun = server.ask("POST", path_of("credentials", name, "connect"))
        if not wait:
            _begun(begun, as_json=as_json)
            return
        if as_json:
            note(begun["url"])
        else:
            _begun(begun, as_json=False)
            note(f"Waiting until {begun['expires']} at most; end it with Ctrl-C, the address works until then.")
        standing = _ended(server, path_of("credentials", name, "connect", begun["attempt"]), every)
    if as_json:
        say_json({**begun, **standing})
    else:
        note(_told(standing))
    if standing["status"] != "connected":
        raise typer.Exit(Exit.FAILED)


def _begun(begun: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(begun)
        return
    note("Open this address and agree:")
    say(begun["url"])


def _ended(server: "Client", path: str, every: float) -> dict[str, Any]:
    """How it ended; the server ends it when its time is over."""
    failures = 0
    while True:
        time.sleep(every)
        try:
            standing = server.ask("GET", path)
        except (NotSentError, TimedOutError, CutOffError) as error:
            failures += 1
            if failures == _MOST_FAILURES:
                raise _unknown(error) from error
            continue
        failures = 0
        if standing["status"] != "pending":
            return standing


def _unknown(error: PenstockError) -> PenstockError:
    return type(error)(f"{error.detail} Whether it was connected is unknown: `penstock credentials list` says.")


def _told(standing: dict[str, Any]) -> str:
    match standing["status"]:
        case "connected":
            return f"{standing['name']} is connected."
        case "denied":
            return f"{standing['name']} is not connected. {shown(standing['said'] or '')}".rstrip()
        case _:
            return f"{standing['name']} is not connected: nobody agreed in time. Begin again."

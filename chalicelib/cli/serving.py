"""`penstock dev`: the embedded server, from the command line."""

import os
from pathlib import Path
from typing import Annotated

import typer

from chalicelib.cli.options import FLOWS, STORE, AllowPrivate, AsJson, Flows, OnlyHosts
from chalicelib.cli.printing import note, say
from chalicelib.errors import UsageError


def dev(
    flows: Flows = FLOWS,
    store: Annotated[Path, typer.Option(help="Where executions are kept; the admin key lies beside it.")] = STORE,
    port: Annotated[int, typer.Option(help="0: any free one.")] = 8700,
    host: Annotated[
        str, typer.Option(help="Loopback; anything else lets others in, with the admin key.")
    ] = "127.0.0.1",
    url: Annotated[str, typer.Option(help="Where the outside reaches it: the address of a tunnel.")] = "",
    allow_private: AllowPrivate = None,
    only_host: OnlyHosts = None,
    as_json: AsJson = False,
) -> None:
    """Serve the flows of a folder on this machine: hooks, schedules, the API. Files that change are published again."""
    import asyncio  # imported late, as all of the server: `penstock --help` needs none of it
    import ipaddress
    import json
    import logging

    try:
        networks = tuple(str(ipaddress.ip_network(each)) for each in allow_private or ())
    except ValueError as error:
        raise UsageError(f"--allow-private takes a network such as 127.0.0.1/32: {error}.") from error

    from chalicelib.local import loops
    from chalicelib.local.server import DevSettings, serve
    from chalicelib.local.welcome import Situation, to_data, welcome

    def up(now: Situation) -> None:
        if as_json:
            say(json.dumps(to_data(now)))
            return
        for line in welcome(now):
            say(line)

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("penstock.plugins").setLevel(logging.INFO)  # those that were granted `log` are to be heard
    settings = DevSettings(
        flows=flows,
        store=store,
        environment=os.environ,
        host=host,
        port=port,
        url=url,
        allow_private=networks,
        only_hosts=tuple(only_host or ()),
    )
    with asyncio.Runner(loop_factory=loops.quickest()) as runner:
        try:
            runner.run(serve(settings, up, note))
        except KeyboardInterrupt:
            note("stopped before it was up")

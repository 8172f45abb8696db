"""Options that several commands have, each said once."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
Flows: TypeAlias = Annotated[
    Path, typer.Option("--flows", envvar="PENSTOCK_FLOWS", help="The folder of flow files.", show_default="flows")
]
Files: TypeAlias = Annotated[
    list[Path] | None, typer.Argument(help="Flow files or folders; without any, those in the folder of flows.")
]
AllowPrivate: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--allow-private", metavar="NETWORK", help="A private network that flows may call: 127.0.0.1/32."),
]
OnlyHosts: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--only-host",
        metavar="HOST",
        help="The only hosts that flows may call: api.example.com, *.example.com, example.com:8443.",
    ),
]
To: TypeAlias = Annotated[
    str | None, typer.Option("--to", metavar="URL", help="The server; PENSTOCK_URL, or the one on this machine.")
]

FLOWS = Path("flows")
STORE = Path(".penstock/store.db")
IMPORT_SOURCES = "env; secretsmanager:NAME (of a secret); ssm:/PATH (a parameter, or all below it)."
"""Where credentials are imported from."""

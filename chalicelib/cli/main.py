"""`penstock`: the commands there are, and how their errors become exit codes."""

import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from chalicelib.cli import (
    checking,
    deploying,
    doctor,
    executions,
    flows,
    nodes,
    plugins,
    publishing,
    refusals,
    running,
    serving,
    testing,
)
from chalicelib.cli.exits import exit_of
from chalicelib.cli.printing import note_error, say
from chalicelib.errors import PenstockError

_AS_JSON = "penstock.as_json"


class Commands(TyperGroup):
    """The commands, under one border: an error of ours is told in its own words, never as a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, and remember whether errors are to be JSON too."""
        ctx.meta[_AS_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Carry out a command; an error ends it with its exit code."""
        try:
            return super().invoke(ctx)
        except PenstockError as error:
            note_error(error, as_json=ctx.meta[_AS_JSON])
            raise typer.Exit(exit_of(error)) from error


app = typer.Typer(
    name="penstock",
    cls=Commands,
    help="Automation flows as files: try them here, serve them here, deploy them to your own AWS account.",
    epilog="Exit codes: 0 success, 1 the thing failed, 2 usage or a failed check, 3 unreachable or refused.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version  # imported late: only this option needs it

        say(version("penstock"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and stop.")
    ] = False,
) -> None:
    """What every command can be told."""
    del version


HERE = "On this machine"
SERVER = "On a server: PENSTOCK_URL and PENSTOCK_KEY, or the one that `dev` runs here"
AWS = "In your AWS account"

_COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("dev", serving.dev, HERE),
    ("run", running.run, HERE),
    ("check", checking.check, HERE),
    ("plan", checking.plan, HERE),
    ("fmt", checking.fmt, HERE),
    ("test", testing.rehearse, HERE),
    ("doctor", doctor.doctor, HERE),
    ("publish", publishing.publish, SERVER),
    ("refusals", refusals.refusals, SERVER),
    ("deploy", deploying.deploy, AWS),
    ("destroy", deploying.destroy, AWS),
)
for _name, _command, _panel in _COMMANDS:
    app.command(_name, rich_help_panel=_panel)(_command)
app.add_typer(flows.app, name="flows", rich_help_panel=SERVER)
app.add_typer(executions.app, name="executions", rich_help_panel=SERVER)
app.add_typer(plugins.app, name="plugins", rich_help_panel=SERVER)
app.add_typer(nodes.app, name="nodes", rich_help_panel=HERE)


def main() -> None:
    """The entry of the `penstock` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal may be set to less than UTF-8
            stream.reconfigure(errors="backslashreplace")
    app()


if __name__ == "__main__":
    main()

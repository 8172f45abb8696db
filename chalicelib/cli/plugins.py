"""`penstock plugins`: strangers' nodes, from their first file to what they are granted on a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.cli.exits import Exit
from chalicelib.cli.options import AsJson, To
from chalicelib.cli.printing import note, say, say_json, say_table
from chalicelib.errors import UsageError

app = typer.Typer(help="Plugins: nodes that strangers wrote, in a sandbox.", no_args_is_help=True)

PART_BYTES = 750_000
"""Less than a server's limit for a body."""
_SWITCHES = ("kv", "log", "wasi")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name.")]
_Place = Annotated[Path, typer.Argument(metavar="PLUGIN", help="A package, or the folder that one is written in.")]
_Grants = Annotated[
    list[str], typer.Argument(metavar="GRANT...", help="http=api.example.com, kv, log, wasi; as often as needed.")
]


@app.command()
def add(
    plugin: _Place,
    grant: Annotated[
        list[str] | None,
        typer.Option("--grant", metavar="GRANT", help="http=api.example.com, kv, log or wasi. Nothing without it."),
    ] = None,
    to: To = None,
    as_json: AsJson = False,
) -> None:
    """Install a plugin, or another version of it. It is granted what is said here, and nothing else."""
    from chalicelib.cli.client import client  # imported late: it brings httpx
    from chalicelib.local.plugin_files import package_bytes

    content, grants = package_bytes(plugin), grants_of(grant or ())
    with client(to) as server:
        parts = [
            server.ask(
                "POST",
                "/plugin-parts",
                content=content[at : at + PART_BYTES],
                content_type="application/octet-stream",
            )["part"]
            for at in range(0, len(content), PART_BYTES)
        ]
        _told(server.ask("POST", "/plugins", body={"parts": parts, "grant": grants}), as_json=as_json)


@app.command("list")
def list_plugins(to: To = None, as_json: AsJson = False) -> None:
    """List the plugins: what each asks for, and what it was granted."""
    items = _ask(to, "GET")["items"]
    if as_json:
        say_json(items)
        return
    rows = [
        (each["name"], each["version"], each["hash"][:12], words_of(each["asks"]), words_of(each["granted"]))
        for each in items
    ]
    say_table(("plugin", "version", "hash", "asks for", "granted"), rows)


@app.command()
def grant(name: _Name, grants: _Grants, to: To = None, as_json: AsJson = False) -> None:
    """Let a plugin do more of what it asks for."""
    _told(_ask(to, "POST", name, "grant", body=grants_of(grants)), as_json=as_json)


@app.command()
def revoke(name: _Name, grants: _Grants, to: To = None, as_json: AsJson = False) -> None:
    """Let a plugin do less, from its next call on."""
    _told(_ask(to, "POST", name, "revoke", body=grants_of(grants)), as_json=as_json)


@app.command()
def remove(
    name: _Name,
    force: Annotated[bool, typer.Option("--force", help="Though published flows use it: they fail then.")] = False,
    to: To = None,
    as_json: AsJson = False,
) -> None:
    """Remove a plugin, with what it kept."""
    answer = _ask(to, "DELETE", name, query={"force": "true"} if force else None)
    if as_json:
        say_json(answer)
        return
    say(f"{answer['name']}\tremoved")
    if answer["used_by"]:
        note(f"These flows used it, and fail now: {', '.join(answer['used_by'])}.")


@app.command()
def new(
    name: _Name,
    language: Annotated[
        str | None,
        typer.Option("--language", help="assemblyscript, c, go, javascript or rust; WebAssembly text without it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a plugin that works into a new folder of its name."""
    from chalicelib.local.plugin_files import write_new  # imported late: it brings the sandbox

    files = [str(path) for path in write_new(Path(name), name, language)]
    if as_json:
        say_json({"files": files})
        return
    for path in files:
        say(path)
    if language not in (None, "javascript"):
        note("Build plugin.wasm first, as its sources say (docs/plugin-sdks.md).")
    note(f"Try it: penstock plugins test {name}. Install it: penstock plugins add {name}.")


@app.command()
def pack(
    plugin: _Place,
    out: Annotated[Path | None, typer.Option("--out", help="The file; <name>-<version>.penstock without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the package of a folder with plugin.yaml and plugin.wasm (or plugin.wat)."""
    from chalicelib.local.plugin_files import package_bytes, package_name  # imported late, as above
    from chalicelib.sandbox.package import read_package

    content = package_bytes(plugin)
    package = read_package(content)
    path = out or Path(package_name(package))
    path.write_bytes(content)
    if as_json:
        say_json({"file": str(path), "bytes": len(content), "sha256": package.manifest.sha256})
        return
    say(str(path))


@app.command("test")
def try_it(plugin: _Place, as_json: AsJson = False) -> None:
    """Run the examples in a plugin's manifest, in the sandbox, on this machine. Nothing is sent."""
    import asyncio  # imported late, as what follows

    from chalicelib.local.plugin_files import package_bytes, try_examples

    tried = asyncio.run(try_examples(package_bytes(plugin)))
    if as_json:
        say_json([{"node": each.node, "about": each.about, "good": each.is_good, "said": each.said} for each in tried])
    for each in () if as_json else tried:
        said = "good" if each.is_good else each.said
        say("\t".join([each.node, *([each.about] if each.about else []), said]))
    bad = sum(1 for each in tried if not each.is_good)
    if not tried:
        note("It has no example. Write one below a node: example: {given: {...}, returns: ...}.")
    if bad:
        raise typer.Exit(Exit.FAILED)


def grants_of(words: Sequence[str]) -> dict[str, Any]:
    """Grants as the API takes them; UsageError for a word that is none."""
    hosts: list[str] = []
    grants: dict[str, Any] = {}
    for word in words:
        if word in _SWITCHES:
            grants[word] = True
        elif word.startswith("http=") and len(word) > len("http="):
            hosts.append(word.removeprefix("http="))
        else:
            raise UsageError(f"{word} is no grant. Write http=api.example.com, kv, log or wasi.")
    return {**grants, **({"http": hosts} if hosts else {})}


def words_of(grants: dict[str, Any]) -> str:
    """Grants as they are typed; `nothing` where there are none."""
    return (
        " ".join([*(f"http={host}" for host in grants["http"]), *(one for one in _SWITCHES if grants[one])])
        or "nothing"
    )


def _told(plugin: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(plugin)
        return
    say(f"{plugin['name']}\t{plugin['version']}\t{plugin['hash'][:12]}")
    for node in plugin["nodes"]:
        say(f"node\t{node}")
    say(f"asks for\t{words_of(plugin['asks'])}")
    say(f"granted\t{words_of(plugin['granted'])}")


def _ask(to: str | None, method: str, *parts: str, body: Any = None, query: dict[str, str] | None = None) -> Any:
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx

    with client(to) as server:
        return server.ask(method, path_of("plugins", *parts), body=body, query=query)

"""`penstock doctor`: looks at everything that commonly stands in the way, and says what to do."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.cli.exits import Exit
from chalicelib.cli.options import FLOWS, STORE, AsJson, Flows
from chalicelib.cli.printing import say, say_json
from chalicelib.errors import CredentialMissingError, NotSentError, PenstockError, UnauthenticatedError

MOST_SKEW_SECONDS = 60.0
"""Beyond it deliveries that senders sign with a time begin to be refused, and AWS refuses signatures at 300 s."""
PACKAGES = ("pydantic", "jsonatapy", "cryptography", "ruamel.yaml", "aiohttp", "httpx", "uvicorn", "watchfiles")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    """`good`, `note` (worth knowing) or `bad` (something will not work)."""
    text: str


def doctor(
    flows: Flows = FLOWS,
    store: Annotated[Path, typer.Option(help="The store of the embedded server.")] = STORE,
    as_json: AsJson = False,
) -> None:
    """Look at what commonly stands in the way: Python, packages, store, flows, credentials, server. Exit 1 if so."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _packages,
        lambda: _store(store),
        lambda: _flows(flows, store),
        _server,
    )
    found = [finding for look in looks for finding in look()]
    if as_json:
        say_json([{"what": each.what, "state": each.state, "text": each.text} for each in found])
    else:
        for each in found:
            say(f"{each.state:<5} {each.what:<12} {each.text}")
    if any(each.state == "bad" for each in found):
        raise typer.Exit(Exit.FAILED)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding("python", "good" if good else "bad", version if good else f"{version}: use 3.11, 3.12 or 3.13")


def _packages() -> Iterator[Finding]:
    there: list[str] = []
    for name in PACKAGES:
        try:
            there.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield Finding("packages", "bad", f"{name} is missing: install Penstock again (`make install` in a clone)")
    yield Finding("packages", "good", ", ".join(there))


def _store(store: Path) -> Iterator[Finding]:
    if not store.exists():
        yield Finding("store", "note", f"{store} does not exist yet: `penstock dev` makes it")
        return
    from chalicelib.adapters.sqlite.lock import FileLock  # imported late: only this look needs it

    try:
        FileLock(store).release()
    except PenstockError:
        yield Finding("store", "good", f"{store}, a server runs on it")
        return
    size = store.stat().st_size
    yield Finding("store", "good", f"{store}, {size / 1_000_000:.1f} MB, used by nobody now")


def _flows(folder: Path, store: Path) -> Iterator[Finding]:
    from chalicelib.cli.checking import plan_of
    from chalicelib.flow.credentials import credentials_of
    from chalicelib.local.folder import flow_files

    try:
        paths = flow_files(folder)
    except PenstockError as error:
        yield Finding("flows", "note", error.detail)
        return
    named: dict[str, list[str]] = {}
    for path in paths:
        try:
            plan = plan_of(path)
        except PenstockError as error:
            yield Finding("flows", "bad", f"{path}: {error.detail} `penstock check {path}` shows where.")
            continue
        for name in credentials_of(plan):
            named.setdefault(name, []).append(plan.flow)
    yield Finding("flows", "good", f"{len(paths)} files in {folder}")
    if named:
        import asyncio  # imported late: `--help` needs no loop

        yield from asyncio.run(_credentials(named, store))


async def _credentials(named: Mapping[str, list[str]], store: Path) -> list[Finding]:
    """Whether each that a flow names can be opened for it, in the vault beside the store or in the environment."""
    from chalicelib.api.auth import MAIN_TENANT
    from chalicelib.vault.record import KIND
    from chalicelib.wiring import glanced_vault

    vault, found = glanced_vault(store, os.environ), list[Finding]()
    of_environment = vault.environment.names()
    for name, users in sorted(named.items()):
        try:
            is_held = await vault.documents.get(MAIN_TENANT, KIND, name) is not None
            for flow in users:
                await vault.open(MAIN_TENANT, name, flow=flow)
        except PenstockError as error:
            state = "note" if isinstance(error, CredentialMissingError) else "bad"
            found.append(Finding("credentials", state, f"{name}: {error.detail} Named by {', '.join(users)}."))
        else:
            hides = " (hides the environment's)" if is_held and name in of_environment else ""
            where = f"in the vault{hides}" if is_held else "of the environment"
            found.append(Finding("credentials", "good", f"{name}, {where}, named by {', '.join(users)}"))
    return found


def _server() -> Iterator[Finding]:
    from chalicelib.cli.client import client, clock_of  # imported late: it brings httpx

    try:
        with client() as server:
            before = datetime.now(UTC)
            answer = server.exchange("GET", "/health")
            yield Finding("server", "good", f"{server.url} answers")
            clock = clock_of(answer)
            if clock is not None:
                yield _skew(abs((clock - before).total_seconds()))
            yield from _key(server)
    except NotSentError as error:
        yield Finding("server", "bad" if os.environ.get("PENSTOCK_URL") else "note", error.detail)
    except PenstockError as error:
        yield Finding("server", "bad", error.detail)


def _skew(seconds: float) -> Finding:
    if seconds <= MOST_SKEW_SECONDS:
        return Finding("clock", "good", f"{seconds:.0f} s from the server's")
    return Finding("clock", "bad", f"{seconds:.0f} s from the server's: set it, or let it be set (NTP)")


def _key(server: Any) -> Iterator[Finding]:
    if not server.has_key:
        yield Finding("key", "note", "none: set PENSTOCK_KEY to ask more of the server than its health")
        return
    try:
        count = len(server.ask("GET", "/flows")["items"])
    except UnauthenticatedError:
        yield Finding("key", "bad", "the server does not know it: set PENSTOCK_KEY to one of its keys")
    except PenstockError as error:
        yield Finding("key", "bad", error.detail)
    else:
        yield Finding("key", "good", f"the server knows it, and has {count} flows")

"""`penstock dev`: the whole house in one process, serving, until it is told to stop."""

import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]  a type of trio's is not there

from chalicelib.adapters.egress import listed_hosts
from chalicelib.api.auth import MAIN_TENANT
from chalicelib.errors import SettingError
from chalicelib.local.asgi import AsgiApp
from chalicelib.local.hosts import Hosts
from chalicelib.local.inside import Inside, OwnKey
from chalicelib.local.keys import AdminKey, admin_key, fetch_link_key
from chalicelib.local.loops import settle
from chalicelib.local.protocol import CarefulProtocol
from chalicelib.local.schedules import TimerHeap
from chalicelib.local.shelf import Published, Shelf
from chalicelib.local.welcome import Situation
from chalicelib.wiring import Embedded, EmbeddedSettings
from chalicelib.worker.ticks import Ticks

log = logging.getLogger(__name__)

GRACE_SECONDS = 5
"""How long requests and steps under way may take to end once the server is told to stop."""


@dataclass(frozen=True, slots=True)
class DevSettings:
    """What `penstock dev` may be told."""

    flows: Path
    store: Path
    environment: Mapping[str, str]
    """Credentials, and the hashes of admin keys."""
    host: str = "127.0.0.1"
    port: int = 8700
    """0: any free one."""
    url: str = ""
    """Where the outside finds the server, if that is another address than its own: a tunnel, a proxy."""
    allow_private: tuple[str, ...] = ()
    only_hosts: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    """Names under which it may be asked, besides the loopback's and that of `url`."""


async def serve(settings: DevSettings, up: Callable[[Situation], None], note: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `up` is told once it listens, `note` whatever happens to files.

    Raises SettingError where the port or the store is taken, UsageError where there is no folder of flows.
    """
    hosts = hosts_of(settings)
    key = admin_key(settings.store.parent, settings.environment)
    with _listening(settings.host, settings.port) as listening:
        listens = _address(settings.host, listening.getsockname()[1])
        base_url = settings.url.rstrip("/") or listens
        own = OwnKey()
        embedded = await Embedded.open(
            EmbeddedSettings(
                store=settings.store,
                base_url=base_url,
                environment=settings.environment,
                allow_private=settings.allow_private,
                only_hosts=settings.only_hosts,
                listens=listens,
                keys=(*key.hashes, own.hash),
                link_key=lambda: fetch_link_key(settings.store.parent),
            )
        )
        try:
            await _Dev(settings, embedded, own, hosts).serve(listening, key, up, note)
        finally:
            await embedded.close()


class _Dev:
    """The parts of a server that is up."""

    def __init__(self, settings: DevSettings, embedded: Embedded, own: OwnKey, hosts: Hosts) -> None:
        self._settings = settings
        self._hosts = hosts
        self._embedded = embedded
        ticks = Ticks(embedded.door, embedded.plans, embedded.store.facts, embedded.clock)
        self._heap = TimerHeap(ticks, embedded.clock)
        self._inside = Inside(embedded.api, embedded.clock, own)

    async def serve(
        self, listening: socket.socket, key: AdminKey, up: Callable[[Situation], None], note: Callable[[str], None]
    ) -> None:
        embedded = self._embedded
        shelf = Shelf(self._inside, self._settings.flows, note)
        embedded.schedules = self._heap
        await restore(embedded, self._heap)
        published = await shelf.publish_all()
        resumed = await embedded.start()
        situation = await self._situation(key, published, resumed)
        server = _Server(AsgiApp(embedded.api, embedded.clock, self._hosts), lambda: up(situation))
        stop = asyncio.Event()
        beside = [
            asyncio.create_task(self._heap.fire(), name="schedules"),
            asyncio.create_task(shelf.follow(changes(self._settings.flows, stop)), name="reloading"),
        ]
        for task in beside:
            task.add_done_callback(_tell_of_end)
        settle()
        try:
            await server.serve(sockets=[listening])
        finally:
            stop.set()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await embedded.drain(0 if server.force_exit else GRACE_SECONDS)

    async def _situation(self, key: AdminKey, published: list[Published], resumed: int) -> Situation:
        embedded, settings = self._embedded, self._settings
        flows = await embedded.store.versions.flows(MAIN_TENANT)
        plans = {live.flow: await embedded.plans.plan(live.tenant, live.flow, live.version) for live in flows}
        return Situation(
            base_url=embedded.settings.base_url,
            store=settings.store,
            folder=settings.flows,
            key=key,
            published=published,
            upcoming=self._heap.upcoming(),
            plans=plans,
            credentials=[each.name for each in await embedded.vault.listed(MAIN_TENANT)],
            allow_private=settings.allow_private,
            only_hosts=settings.only_hosts or listed_hosts(settings.environment),
            resumed=resumed,
            is_open=not _is_loopback(settings.host),
        )


def hosts_of(settings: DevSettings) -> Hosts:
    """The names that the server answers to; raises UsageError where one cannot be a name."""
    names = [*settings.allow_hosts, *([settings.url] if settings.url else [])]
    if _is_loopback(settings.host):
        return Hosts(names)
    is_name = not _is_address(settings.host)
    return Hosts([*names, *([settings.host] if is_name else [])], is_open=True)


async def restore(embedded: Embedded, heap: TimerHeap) -> None:
    """Plan the schedules of everything that is published, whose ever: of flows whose file is not here any more too."""
    for tenant in await embedded.store.versions.tenants():
        for live in await embedded.store.versions.flows(tenant):
            await heap.replace(live, await embedded.plans.plan(live.tenant, live.flow, live.version))


async def changes(folder: Path, stop: asyncio.Event) -> AsyncIterator[set[Path]]:
    """The files in a folder that change, as they do; paths begin as `folder` does."""
    whole = _without_links(folder)
    async for found in awatch(whole, stop_event=stop, watch_filter=None, step=50, debounce=400):
        yield {folder / Path(path).relative_to(whole) for _, path in found}


def _without_links(folder: Path) -> Path:
    """A folder as the watcher tells of it."""
    return Path(os.path.realpath(folder))


class _Server(uvicorn.Server):
    """uvicorn with our words at its start, and without passing a signal on once it was heeded."""

    def __init__(self, app: AsgiApp, up: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=CarefulProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # who the peer is decides nothing; behind a proxy `--url` says our address
                backlog=2048,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._up = up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heeded = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in heeded}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    """A bound socket; SettingError where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as bound:
        if sys.platform != "win32":  # there the option lets two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "there is no such port"
            raise SettingError(
                f"Cannot listen on {host} port {port}: {why}. Stop what does, or choose another --port."
            ) from error
        bound.setblocking(False)  # noqa: FBT003  it takes it by position alone
        yield bound


def _address(host: str, port: int) -> str:
    """The server's own address; a wildcard is reached by the loopback."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  shown, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tell_of_end(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("The task `%s` met a bug and has ended.", task.get_name(), exc_info=task.exception())

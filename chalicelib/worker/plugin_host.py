"""What a plugin may ask of its host, granted thing by granted thing: requests, its own key-value space, its log."""

import asyncio
import base64
import binascii
import logging
import re
from collections.abc import Callable, Mapping
from typing import Final

from chalicelib.errors import (
    BodyTooLargeError,
    CallerError,
    ConflictError,
    CutOffError,
    PenstockError,
    SigningError,
    TimedOutError,
)
from chalicelib.flow.values import Json
from chalicelib.ports import Documents, Http, HttpRequest
from chalicelib.ports.plugins import Sent
from chalicelib.sandbox.manifest import Asks
from chalicelib.signing.canonical import split_url
from chalicelib.signing.outbound_hosts import is_listed

log = logging.getLogger("penstock.plugins")

SPACE: Final = "plugin_kv"
SIZE: Final = "plugin_kv_size"
MOST_KEYS: Final = 1_000
MOST_VALUE_BYTES: Final = 100_000
MOST_LISTED: Final = 100
MOST_BODY_BYTES: Final = 1_000_000
MOST_ANSWER_BYTES: Final = 2_000_000
_TRIES: Final = 5
_KEY: Final = re.compile(r"[!-~]{1,200}")
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_HOP_BY_HOP: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "expect"})
_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


class NotGrantedError(CallerError):
    """The plugin was not granted this. An admin can: `penstock plugins grant`."""

    code = "not_granted"
    status = 403


class HostNotGrantedError(CallerError):
    """The plugin was not granted this host. An admin can: `penstock plugins grant`."""

    code = "host_not_granted"
    status = 403


class BadCallError(CallerError):
    """The plugin asked for something that there is not. Compare it with docs/plugins.md."""

    code = "bad_call"


class KeyValueFullError(CallerError):
    """The plugin's key-value space is full. Let it delete what it does not need."""

    code = "kv_full"


class KeyValueBusyError(ConflictError):
    """Others write the same key of the plugin all the time. Another try may do."""

    code = "kv_busy"


class PluginHost:
    """Fulfils `ports.SandboxHost` for one call of one plugin of one tenant."""

    def __init__(
        self,
        tenant: str,
        plugin: str,
        granted: Asks,
        sent: Sent,
        *,
        http: Http,
        documents: Documents,
        mask: Callable[[str], str],
        seconds: float,
    ) -> None:
        """`mask` strikes secrets out of what is logged; `seconds` is how long the call as a whole may take."""
        self._tenant = tenant
        self._plugin = plugin
        self._granted = granted
        self._sent = sent
        self._http = http
        self._documents = documents
        self._mask = mask
        self._ends = asyncio.get_running_loop().time() + seconds

    def log(self, level: int, text: str) -> None:
        """One line, without what would steer a terminal or begin another line."""
        if self._granted.log:
            shown = "".join(each if each.isprintable() else " " for each in self._mask(text[:16_384]))
            log.log(_LEVELS[min(max(level, 0), 3)], "plugin %s: %s", self._plugin, shown)

    async def http(self, asked: Mapping[str, Json]) -> Json:
        """One request to a granted host, through the guard."""
        if not self._granted.http:
            raise NotGrantedError
        request = self._request(asked)
        self._sent.is_open = True
        try:
            answer = await self._http.send(request)
        except PenstockError as error:
            self._sent.is_open = isinstance(error, CutOffError | TimedOutError)
            raise
        self._sent.is_open = False
        self._sent.count += 1
        headers: dict[str, Json] = {}
        for name, value in answer.headers:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        found: dict[str, Json] = {"status": answer.status, "headers": headers}
        try:
            found["body"] = answer.body.decode()
        except UnicodeDecodeError:
            found["body_base64"] = base64.b64encode(answer.body).decode()
        return found

    def _request(self, asked: Mapping[str, Json]) -> HttpRequest:
        method, url, headers = asked.get("method", "GET"), asked.get("url"), asked.get("headers", {})
        if asked.keys() - {"method", "url", "headers", "body", "body_base64"}:
            raise BadCallError("http: there are method, url, headers, and body or body_base64.")
        if not isinstance(method, str) or method not in _METHODS or not isinstance(url, str):
            raise BadCallError(f"http: `method` is one of {', '.join(sorted(_METHODS))}, `url` a text.")
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise BadCallError("http: `headers` is an object of texts.")
        if banned := _HOP_BY_HOP & {name.lower() for name in headers}:
            raise BadCallError(f"http: the header {min(banned)} is the host's to set.")
        try:
            host = split_url(url)[0]
        except SigningError as error:
            raise BadCallError(f"http: {error.detail}") from error
        if not is_listed(self._granted.http, host):
            may = ", ".join(self._granted.http)
            raise HostNotGrantedError(f"The plugin `{self._plugin}` was not granted {host[:120]}. It may reach: {may}.")
        left = max(0.1, self._ends - asyncio.get_running_loop().time())
        given = tuple((name, str(value)) for name, value in headers.items())
        return HttpRequest(method, url, given, _body(asked), left, MOST_ANSWER_BYTES)

    async def kv(self, asked: Mapping[str, Json]) -> Json:
        """One operation on the plugin's own space."""
        if not self._granted.kv:
            raise NotGrantedError
        match asked:
            case {"do": "get", "key": str(key), **rest} if not rest:
                found = await self._documents.get(self._tenant, SPACE, self._key(key))
                return None if found is None else found.value["value"]
            case {"do": "put", "key": str(key), "value": value, **rest} if not rest:
                return await self._put(self._key(key), value)
            case {"do": "delete", "key": str(key), **rest} if not rest:
                return await self._delete(self._key(key))
            case {"do": "list", **rest} if rest.keys() <= {"prefix", "after", "limit"}:
                return await self._list(rest)
            case _:
                raise BadCallError("kv: `do` is get, put, delete or list, with what docs/plugins.md says.")

    def _key(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise BadCallError("kv: a key is 1 to 200 characters of printable ASCII without spaces.")
        return f"{self._plugin}/{key}"

    async def _put(self, key: str, value: Json) -> bool:
        """Write it; whether there was one."""
        if len(_json(value)) > MOST_VALUE_BYTES:
            raise BadCallError(f"kv: a value has up to {MOST_VALUE_BYTES:,} bytes as JSON.")
        for _ in range(_TRIES):
            there = await self._documents.get(self._tenant, SPACE, key)
            if there is None:
                await self._count(1)
            rev = await self._documents.put(
                self._tenant, SPACE, key, {"value": value}, seen=there.rev if there is not None else None
            )
            if rev is not None:
                return there is not None
            if there is None:
                await self._count(-1)
        raise KeyValueBusyError

    async def _delete(self, key: str) -> bool:
        for _ in range(_TRIES):
            there = await self._documents.get(self._tenant, SPACE, key)
            if there is None:
                return False
            if await self._documents.delete(self._tenant, SPACE, key, seen=there.rev):
                await self._count(-1)
                return True
        raise KeyValueBusyError

    async def _list(self, asked: Mapping[str, Json]) -> Json:
        prefix, after, limit = asked.get("prefix", ""), asked.get("after", ""), asked.get("limit", MOST_LISTED)
        if not isinstance(prefix, str) or not isinstance(after, str) or isinstance(limit, bool):
            raise BadCallError("kv: `prefix` and `after` are texts, `limit` a number.")
        if not isinstance(limit, int) or not 1 <= limit <= MOST_LISTED:
            raise BadCallError(f"kv: `limit` is 1 to {MOST_LISTED}.")
        for text in (prefix, after):
            if text:
                self._key(text)
        own = f"{self._plugin}/"
        found: list[Json] = []
        if prefix and after < prefix:  # a page begins after a key: one that is the prefix itself is looked up
            after = prefix
            if await self._documents.get(self._tenant, SPACE, own + prefix) is not None:
                found.append(prefix)
        for each in await self._documents.page(self._tenant, SPACE, after=own + after, most=limit):
            if not each.key.startswith(own + prefix):
                break
            found.append(each.key.removeprefix(own))
        return found[:limit]

    async def _count(self, more: int) -> None:
        """Keep the number of keys; raises KeyValueFullError where there may be no more.

        Rather one too many is counted than one too few: up before a key is written, down after it is gone.
        """
        for _ in range(_TRIES):
            there = await self._documents.get(self._tenant, SIZE, self._plugin)
            keys = there.value["keys"] if there is not None else 0
            keys = (keys if isinstance(keys, int) else 0) + more
            if keys > MOST_KEYS:
                raise KeyValueFullError(f"The plugin `{self._plugin}` has {MOST_KEYS:,} keys: there can be no more.")
            seen = there.rev if there is not None else None
            if await self._documents.put(self._tenant, SIZE, self._plugin, {"keys": max(0, keys)}, seen=seen):
                return
        raise KeyValueBusyError


async def forget_space(documents: Documents, tenant: str, plugin: str) -> None:
    """Remove everything that a plugin kept."""
    own = f"{plugin}/"
    while found := [each for each in await documents.page(tenant, SPACE, after=own) if each.key.startswith(own)]:
        for each in found:
            await documents.delete(tenant, SPACE, each.key, seen=each.rev)
    there = await documents.get(tenant, SIZE, plugin)
    if there is not None:
        await documents.delete(tenant, SIZE, plugin, seen=there.rev)


def _body(asked: Mapping[str, Json]) -> bytes:
    text, encoded = asked.get("body"), asked.get("body_base64")
    if text is not None and encoded is not None:
        raise BadCallError("http: give `body` or `body_base64`, not both.")
    if not isinstance(text, str | None) or not isinstance(encoded, str | None):
        raise BadCallError("http: `body` and `body_base64` are texts.")
    try:
        body = (text or "").encode() if encoded is None else base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCallError("http: `body_base64` is no Base64.") from error
    if len(body) > MOST_BODY_BYTES:
        raise BodyTooLargeError(f"http: a body has up to {MOST_BODY_BYTES:,} bytes.")
    return body


def _json(value: Json) -> bytes:
    import json  # imported late: few plugins keep anything

    return json.dumps(value, separators=(",", ":")).encode()

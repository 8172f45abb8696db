"""The audit log, read: newest first, by time, who, what and outcome."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.audit_log import KIND
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.times import from_text, to_milliseconds, to_text
from chalicelib.api.tools import Call
from chalicelib.engine.ids import crockford
from chalicelib.errors import UsageError
from chalicelib.flow.values import Json
from chalicelib.ports import Document

_PAGE: Final = 100
_MOST_READ: Final = 1_000
"""Entries that one request looks at, whether they are wanted or not; the cursor goes on behind them."""
_KEY_LENGTH: Final = 26


async def list_entries(call: Call) -> Answer:
    """Entries of the caller's tenant, with a cursor where there are more to look at."""
    audit, query = call.tools.audit, call.query
    if audit is None:
        return json_answer({"items": [], "cursor": None})
    await audit.flush()
    since, until, limit = _moment(query, "since"), _moment(query, "until"), query.get("limit")
    after = _cursor(query) or (_first_of(until + 1) if until is not None else "")
    oldest = _first_of(since) if since is not None else ""
    most = limit if isinstance(limit, int) else 50
    now = to_milliseconds(call.tools.clock.now()) // 1000
    found: list[Json] = []
    read = 0
    while True:
        page = await audit.store.page(call.tenant, KIND, after=after, most=_PAGE, backwards=True)
        for each in page:
            if each.key < oldest:
                return json_answer({"items": found, "cursor": None})
            read += 1
            after = each.key
            if (not each.expires or each.expires > now) and _is_wanted(each.value, query):
                found.append(_to_json(each))
                if len(found) == most:
                    return json_answer({"items": found, "cursor": after})
        if len(page) < _PAGE:
            return json_answer({"items": found, "cursor": None})
        if read >= _MOST_READ:
            return json_answer({"items": found, "cursor": after})


def _moment(query: Mapping[str, Json], name: str) -> int | None:
    given = query.get(name)
    return from_text(given, name) if isinstance(given, str) else None


def _cursor(query: Mapping[str, Json]) -> str:
    given = query.get("cursor")
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) != _KEY_LENGTH or not given.isascii() or not given.isalnum():
        raise UsageError("`cursor` is what the page before ended with.")
    return given


def _first_of(milliseconds: int) -> str:
    """The first name that an entry of this moment could have (a ULID: its time, then randomness)."""
    return crockford(min(max(milliseconds, 0), (1 << 48) - 1) << 80)


def _is_wanted(value: Mapping[str, Json], query: Mapping[str, Json]) -> bool:
    return all(name not in query or query[name] == value.get(name) for name in ("who", "action", "outcome"))


def _to_json(entry: Document) -> Json:
    value = entry.value
    return {
        "id": entry.key,
        "at": _time(value.get("at")),
        **{name: value.get(name) or None for name in ("who", "role", "via")},
        "action": value.get("action"),
        "target": value.get("target") or None,
        "peer": value.get("peer") or None,
        "outcome": value.get("outcome"),
        "code": value.get("code"),
        "of": value.get("of"),
        "count": value.get("count", 1),
        "first": _time(value.get("first")),
        "peers": value.get("peers", []),
    }


def _time(value: Json) -> str | None:
    return to_text(value) if isinstance(value, int) else None

"""Who did what, when, from where: written down before it is done, and never changed or removed by anybody here.

A change that cannot be written down does not take place. What was denied is counted by who, what and why, and written
within bounds, so that strangers cannot fill the store; a process that ends without warning has not written the last of
those. An entry goes when its time is over, by the store's own hand.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from chalicelib.api.errors import AuditUnwrittenError
from chalicelib.api.times import to_milliseconds
from chalicelib.errors import PenstockError, StoreError
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Document, Ids

KIND: Final = "audit"
OUTCOMES: Final = ("allowed", "denied", "failed")
BURST: Final = 20
"""Denials that a process may write at once."""
WRITE_MS: Final = 10_000
"""After this long it may write one more."""
MOST_PENDING: Final = 500
MOST_PEERS: Final = 5
"""Addresses that a denial names, of however many there were."""
_LONGEST: Final = 300
_DAY_SECONDS: Final = 86_400
_TRIES: Final = 3

_log = logging.getLogger("penstock.audit")


class Appending(Protocol):
    """As much of `ports.Documents` as an audit log may have: it adds and reads."""

    async def put(
        self, tenant: str, kind: str, key: str, value: Mapping[str, Json], *, seen: None, expires: int = 0
    ) -> str | None:
        """Add it where there is none."""
        ...

    async def page(
        self, tenant: str, kind: str, *, after: str = "", most: int = 100, backwards: bool = False
    ) -> Sequence[Document]:
        """Up to so many by key."""
        ...


class Deed(NamedTuple):
    """What somebody is about to do.

    Attributes:
        tenant: whose data it is about.
        who: the key's id; empty where nobody is known.
        role: the key's role in lower case; empty where nobody is known.
        via: `key` or `session`; empty where nobody is known.
        action: the operation's id in the OpenAPI document.
        target: the path it was asked of, without its query.
        peer: the address it came from.
    """

    tenant: str
    who: str
    role: str
    via: str
    action: str
    target: str
    peer: str


class _Denied(NamedTuple):
    """How often, since when, until when, and from where."""

    times: int
    first: int
    last: int
    peers: tuple[str, ...]


class AuditLog:
    """Writes entries; one for the life of a process."""

    def __init__(self, store: Appending, clock: Clock, ids: Ids, *, days: int) -> None:
        """Take how many days an entry is kept."""
        self.store = store
        self._clock = clock
        self._ids = ids
        self._kept = days * _DAY_SECONDS
        self._pending: dict[tuple[Deed, str], _Denied] = {}
        self._left = BURST
        self._refilled = to_milliseconds(clock.now())

    async def allowed(self, deed: Deed) -> str:
        """Write down what is about to be done, and return the entry's key; raises AuditUnwrittenError."""
        try:
            return await self._append(deed, {"outcome": "allowed"})
        except PenstockError as error:
            _log.error("nothing was done: the audit log cannot be written: %s", error.detail)
            raise AuditUnwrittenError from error

    async def failed(self, deed: Deed, entry: str, code: str) -> None:
        """Add that what an entry said was let through was then refused or went wrong; never raises for the store."""
        try:
            await self._append(deed, {"outcome": "failed", "code": code, "of": entry})
        except PenstockError as error:
            _log.warning("entry %s has no word of its failure (%s): %s", entry, code, error.detail)

    async def denied(self, deed: Deed, code: str) -> None:
        """Count a denial; never raises because it cannot be written."""
        now = to_milliseconds(self._clock.now())
        key = (deed._replace(target="", peer=""), code)
        known = self._pending.get(key)
        if known is None:
            if len(self._pending) >= MOST_PENDING:
                return
            known = _Denied(0, now, now, ())
        peers = known.peers
        if deed.peer not in peers and len(peers) < MOST_PEERS:
            peers = (*peers, _plain(deed.peer))
        self._pending[key] = _Denied(known.times + 1, known.first, now, peers)
        await self.flush()

    async def flush(self, *, is_last: bool = False) -> None:
        """Write the denials that are pending, as far as more writes are allowed now; all where it is the last time."""
        while self._pending and (is_last or self._may_write()):
            deed, code = key = next(iter(self._pending))
            found = self._pending.pop(key)  # taken before the wait: nobody else writes it
            said: dict[str, Json] = {"outcome": "denied", "code": code, "count": found.times}
            said |= {"first": found.first, "last": found.last, "peers": list(found.peers)}
            try:
                await self._append(deed, said)
            except PenstockError as error:
                _log.warning("denials could not be written down: %s", error.detail)
                if isinstance(error, StoreError):  # it certainly did not take place
                    self._put_back(key, found)
                return

    def _put_back(self, key: tuple[Deed, str], found: _Denied) -> None:
        since = self._pending.get(key)
        if since is not None:
            peers = tuple(dict.fromkeys((*found.peers, *since.peers)))[:MOST_PEERS]
            found = _Denied(found.times + since.times, found.first, since.last, peers)
        self._pending[key] = found

    async def _append(self, deed: Deed, said: Mapping[str, Json]) -> str:
        now = self._clock.now()
        value: dict[str, Json] = {name: _plain(text) for name, text in deed._asdict().items() if name != "tenant"}
        value |= {"at": to_milliseconds(now), **said}
        expires = int(now.timestamp()) + self._kept
        for _ in range(_TRIES):
            key = self._ids.execution(now)
            if await self.store.put(deed.tenant, KIND, key, value, seen=None, expires=expires) is not None:
                return key
        raise StoreError("No name was free for an entry of the audit log.")

    def _may_write(self) -> bool:
        now = to_milliseconds(self._clock.now())
        more = (now - self._refilled) // WRITE_MS
        if more > 0:
            self._left = min(BURST, self._left + more)
            self._refilled += more * WRITE_MS
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _plain(text: str) -> str:
    """What a stranger chose, bounded, and nothing that a terminal would obey."""
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text[:_LONGEST])

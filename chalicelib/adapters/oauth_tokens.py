"""Asking for tokens, and keeping those of a credential fresh: one request, however many want the token at once.

Who finds a token at its end takes a lease on the credential (a document, written over what was seen of it), looks
whether it still is at its end, asks, stores what was given as a new version, and only then hands it on. Everybody else
waits for that version. What a service refused is remembered for a minute, so that nobody repeats it.

Between the service's answer and our write lies a moment in which a crash loses a refresh token that the service has
replaced already; nobody can close it from this side. Then the credential has to be connected again, and says so.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Protocol

from chalicelib.adapters.vault import Opened
from chalicelib.errors import (
    CredentialMissingError,
    CutOffError,
    NotSentError,
    PenstockError,
    StoreError,
    TimedOutError,
)
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Document, Documents, Http, HttpRequest, Ids
from chalicelib.vault.oauth2 import (
    RENEWED_BEFORE_SECONDS,
    TokenRequest,
    Tokens,
    may_be_renewed,
    read_tokens,
    renewal_request,
    seconds_left,
    with_tokens,
)
from chalicelib.vault.oauth_errors import CredentialNotConnectedError, TokenRefusedError, TokenTroubleError
from chalicelib.vault.types import CredentialType, find_type, secret_fields

KIND: Final = "oauth_lease"
REQUEST_SECONDS: Final = 15.0
LEASE_SECONDS: Final = 60
"""Longer than a request and the tries to store its answer: a holder that died is waited for so long at most."""
WAIT_SECONDS: Final = 20.0
USABLE_SECONDS: Final = 10
"""A token that lasts so long is used while another process renews it."""
REFUSED_SECONDS: Final = 60
TROUBLE_SECONDS: Final = 5
_LARGEST_ANSWER: Final = 200_000
_STORE_TRIES: Final = 6
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0


class Shelf(Protocol):
    """Where credentials lie."""

    async def read(self, tenant: str, name: str) -> Opened | None:
        """A credential as it is now; None where there is none."""
        ...

    async def replace(self, tenant: str, name: str, before: Opened, fields: Mapping[str, str]) -> Opened | None:
        """The next version, with these fields, over exactly what was seen; None where somebody was quicker."""
        ...


async def ask_for_tokens(http: Http, request: TokenRequest, fields: Mapping[str, str]) -> Tokens:
    """One request to a token endpoint, through the guarded client.

    Raises TokenRefusedError, TokenTroubleError, and what the guard refuses an address with.
    """
    try:
        answer = await http.send(
            HttpRequest("POST", request.url, request.headers, request.body, REQUEST_SECONDS, _LARGEST_ANSWER)
        )
    except (NotSentError, TimedOutError, CutOffError) as error:
        raise TokenTroubleError(f"The service could not be asked for a token: {error.detail}") from error
    kind = next((value for name, value in answer.headers if name == "content-type"), "")
    return read_tokens(answer.status, kind, answer.body, secret_fields(fields))


class Renewal:
    """Keeps tokens fresh. One for each process; what several of them do is settled by leases."""

    def __init__(self, shelf: Shelf, documents: Documents, http: Http, clock: Clock, ids: Ids) -> None:
        """Take where credentials lie, where leases lie, and the guarded client."""
        self._shelf = shelf
        self._documents = documents
        self._http = http
        self._clock = clock
        self._ids = ids
        self._under_way: dict[tuple[str, str], asyncio.Task[Opened]] = {}

    async def fresh(self, tenant: str, name: str, opened: Opened) -> Opened:
        """The credential with a token that lasts; itself where it does.

        Raises CredentialNotConnectedError, TokenRefusedError, TokenTroubleError.
        """
        kind = find_type(opened.record.type)
        if kind.oauth2 is None or self._lasts(opened, RENEWED_BEFORE_SECONDS):
            return opened
        if not may_be_renewed(kind, opened.fields):
            if self._lasts(opened, 0):
                return opened
            raise CredentialNotConnectedError(_not_connected(name, opened))
        task = self._under_way.get((tenant, name))
        if task is None or task.done():
            task = asyncio.get_running_loop().create_task(self._renewed(tenant, name), name=f"renew {name}")
            self._under_way[tenant, name] = task
            task.add_done_callback(lambda done: self._ended(tenant, name, done))
        return await _to_its_end(task)

    def _ended(self, tenant: str, name: str, task: "asyncio.Task[Opened]") -> None:
        if self._under_way.get((tenant, name)) is task:
            del self._under_way[tenant, name]
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody need have

    def _lasts(self, opened: Opened, seconds: float) -> bool:
        left = seconds_left(opened.fields, self._clock.now())
        return left is None or left > seconds

    async def _renewed(self, tenant: str, name: str) -> Opened:
        """Renew it, or wait for whoever does."""
        until, pause = self._clock.now() + timedelta(seconds=WAIT_SECONDS), _FIRST_PAUSE_SECONDS
        while True:
            opened = await self._read(tenant, name)
            if self._lasts(opened, RENEWED_BEFORE_SECONDS):
                return opened
            lease = await self._documents.get(tenant, KIND, name)
            self._refuse_again(lease, opened)
            rev = None if self._is_held(lease) else await self._taken(tenant, name, lease)
            if rev is not None:
                return await self._under_lease(tenant, name, rev)
            if self._lasts(opened, USABLE_SECONDS):
                return opened
            if self._clock.now() >= until:
                raise TokenTroubleError(
                    f"The credential `{name}` is being renewed by another process, which does not end.",
                    retry_after=float(WAIT_SECONDS),
                )
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _taken(self, tenant: str, name: str, lease: Document | None) -> str | None:
        """The lease, where nobody was quicker; without a store that can be written nothing is asked for."""
        try:
            return await self._put(tenant, name, {"until": self._in(LEASE_SECONDS)}, lease.rev if lease else None)
        except StoreError as error:
            raise TokenTroubleError(
                f"The token of the credential `{name}` cannot be renewed: {error.detail}"
            ) from error

    async def _under_lease(self, tenant: str, name: str, rev: str) -> Opened:
        """Ask and store; what went wrong is left where the lease was, for those who wait."""
        after: dict[str, Json] = {"until": 0}
        opened = await self._read(tenant, name)
        try:
            # Between the look and the lease somebody else may have renewed it.
            if self._lasts(opened, RENEWED_BEFORE_SECONDS):
                return opened
            return await self._asked(tenant, name, opened)
        except (TokenRefusedError, TokenTroubleError) as error:
            seconds = REFUSED_SECONDS if isinstance(error, TokenRefusedError) else TROUBLE_SECONDS
            after |= {"of": opened.rev, "code": error.code, "said": error.detail, "again": self._in(seconds)}
            raise
        finally:
            await self._give_back(tenant, name, after, rev)

    async def _asked(self, tenant: str, name: str, opened: Opened) -> Opened:
        kind, now = find_type(opened.record.type), self._clock.now()
        request = renewal_request(kind, opened.fields, now=now, jti=self._ids.token())
        try:
            tokens = await ask_for_tokens(self._http, request, opened.fields)
        except (TokenRefusedError, TokenTroubleError) as error:
            again = f" Connect it again: `penstock credentials connect {name}`." if _is_persons(kind, error) else ""
            raise type(error)(f"The credential `{name}`: {error.detail}{again}") from error
        return await self._stored(
            tenant, name, opened, with_tokens(kind, opened.fields, tokens, now=now, is_first=False)
        )

    async def _stored(self, tenant: str, name: str, opened: Opened, fields: Mapping[str, str]) -> Opened:
        """Write what was given, whatever it takes: a refresh token that replaced another is the only one that works."""
        last: PenstockError | None = None
        for attempt in range(_STORE_TRIES):
            try:
                stored = await self._shelf.replace(tenant, name, opened, fields)
                if stored is not None:
                    return stored
                there = await self._read(tenant, name)
                if there.fields == fields:
                    return there  # an earlier try had written it after all
                if there.fields != opened.fields:  # somebody gave it other values meanwhile: those count
                    if self._lasts(there, 0):
                        return there
                    raise TokenTroubleError(f"The credential `{name}` was changed while it was renewed.")
                opened = there  # the same values, shared or sealed anew
            except (StoreError, TimedOutError, CutOffError) as error:
                last = error
                await self._clock.sleep(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 4**attempt))
        raise TokenTroubleError(
            f"The credential `{name}` was renewed and could not be stored. If it is refused from now on, connect it "
            f"again: `penstock credentials connect {name}`."
        ) from last

    async def _read(self, tenant: str, name: str) -> Opened:
        found = await self._shelf.read(tenant, name)
        if found is None:
            raise CredentialMissingError(f"The credential `{name}` was removed while it was renewed.")
        return found

    def _is_held(self, lease: Document | None) -> bool:
        return lease is not None and _whole(lease.value.get("until")) > self._in(0)

    def _refuse_again(self, lease: Document | None, opened: Opened) -> None:
        """Raise what the service said of these very values a moment ago."""
        if lease is None or lease.value.get("of") != opened.rev or _whole(lease.value.get("again")) <= self._in(0):
            return
        said = str(lease.value.get("said"))
        if lease.value.get("code") == TokenRefusedError.code:
            raise TokenRefusedError(said)
        raise TokenTroubleError(said, retry_after=float(TROUBLE_SECONDS))

    async def _give_back(self, tenant: str, name: str, after: dict[str, Json], rev: str) -> None:
        try:
            await self._put(tenant, name, after, rev)
        except (StoreError, TimedOutError, CutOffError):
            return  # it ends by itself

    async def _put(self, tenant: str, name: str, value: dict[str, Json], seen: str | None) -> str | None:
        expires = int(self._clock.now().timestamp()) + LEASE_SECONDS + REFUSED_SECONDS
        return await self._documents.put(tenant, KIND, name, value, seen=seen, expires=expires)

    def _in(self, seconds: float) -> int:
        """Epoch milliseconds, so long from now."""
        return int((self._clock.now().timestamp() + seconds) * 1000)


async def _to_its_end(task: "asyncio.Task[Opened]") -> Opened:
    """Wait for it, and outlive one's own cancelling: what the service has replaced already must still be stored."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait([task], timeout=REQUEST_SECONDS + LEASE_SECONDS)
        raise


def _not_connected(name: str, opened: Opened) -> str:
    if opened.fields.get("token"):
        return (
            f"The token of the credential `{name}` has expired, and the service gave nothing to renew it with. Connect "
            f"it again: `penstock credentials connect {name}`."
        )
    return f"The credential `{name}` is not connected yet. Run `penstock credentials connect {name}`."


def _is_persons(kind: CredentialType, error: PenstockError) -> bool:
    """Whether a person's consent is what mends it."""
    is_by_consent = kind.oauth2 is not None and kind.oauth2.grant == "authorization_code"
    return is_by_consent and isinstance(error, TokenRefusedError)


def _whole(value: Json) -> int:
    return value if isinstance(value, int) else 0

"""What a delivery makes us ask at its sender's own hosts: a certificate, and the confirmation of a subscription.

The addresses were held against the sender's hosts before (`signing.inbound_certificates`). Whoever sends us nonsense
still must not make us call out without bounds: what was fetched is kept, what failed too, and there is a limit.
"""

from typing import Final, NamedTuple

from chalicelib.api.times import to_milliseconds
from chalicelib.errors import ServiceError, SettingError, SignatureWrongError, WorkerMishapError
from chalicelib.ports import Clock, Http, HttpRequest

MOST_KEPT: Final = 16
KEPT_MS: Final = 86_400_000
FAILED_MS: Final = 60_000
MOST_A_MINUTE: Final = 20
_MOST_BYTES: Final = 20_000
_SECONDS: Final = 5.0


class _Kept(NamedTuple):
    """What an address answered: its bytes, None for a refusal; until when that holds, in epoch milliseconds."""

    content: bytes | None
    until: int


class SenderHosts:
    """Senders' own hosts, asked sparingly; one for the life of a process."""

    def __init__(self, http: Http, clock: Clock) -> None:
        from asyncio import Lock  # imported late: the command line reads the tools' names, and needs no loop

        self._http = http
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._asked: list[int] = []
        self._lock = Lock()

    async def certificate(self, url: str) -> bytes:
        """The certificate at an address.

        Raises SignatureWrongError where there is none, ServiceError or what `Http.send` raises where that may pass.
        """
        async with self._lock:  # deliveries that come together fetch it once
            kept = self._kept.get(url)
            if kept is None or kept.until <= to_milliseconds(self._clock.now()):
                kept = self._keep(url, await self._get(url))
        if kept.content is None:
            raise SignatureWrongError("There is no certificate at the address that the delivery names.")
        return kept.content

    async def confirm(self, url: str) -> None:
        """Confirm a subscription; raises SignatureWrongError where it is refused, else as `certificate` does."""
        async with self._lock:
            if await self._get(url) is None:
                raise SignatureWrongError("SNS refuses the confirmation: the token is not one of its own, or too old.")

    def _keep(self, url: str, content: bytes | None) -> _Kept:
        self._kept.pop(url, None)
        while len(self._kept) >= MOST_KEPT:
            # What failed goes first: addresses that somebody made up must not push out those that are used.
            failed = next((each for each, kept in self._kept.items() if kept.content is None), None)
            del self._kept[failed if failed is not None else next(iter(self._kept))]
        now = to_milliseconds(self._clock.now())
        kept = self._kept[url] = _Kept(content, now + (FAILED_MS if content is None else KEPT_MS))
        return kept

    async def _get(self, url: str) -> bytes | None:
        now = to_milliseconds(self._clock.now())
        self._asked = [moment for moment in self._asked if moment > now - 60_000]
        if len(self._asked) >= MOST_A_MINUTE:
            raise WorkerMishapError("Senders' hosts were asked too often in this minute. Deliver again later.")
        self._asked.append(now)
        answer = await self._http.send(
            HttpRequest("GET", url, timeout_seconds=_SECONDS, limit_bytes=_MOST_BYTES)  # redirects are not followed
        )
        if answer.status >= 500 or answer.status == 429:
            raise ServiceError(f"The sender's host answers {answer.status}. Deliver again later.")
        return answer.body if answer.status == 200 else None


def need_hosts(hosts: SenderHosts | None) -> SenderHosts:
    """The hosts; raises SettingError where this server may not ask them."""
    if hosts is None:
        raise SettingError("This server cannot fetch senders' certificates.")
    return hosts

"""The public keys of an issuer: found through its discovery document, on its own host alone, and fetched sparingly.

A token names its key, and anybody can make up a token with a name that nobody knows: so the issuer is asked at most
once a minute, whatever comes, and what was known goes on counting for a day where it does not answer.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from chalicelib.api.times import to_milliseconds
from chalicelib.errors import PenstockError, ServiceError
from chalicelib.ports import Clock, Http, HttpRequest

FRESH_MS: Final = 3_600_000
"""So often the keys are fetched anew while they are in use."""
STALE_MS: Final = 86_400_000
PAUSE_MS: Final = 60_000
MOST_KEYS: Final = 100
_MOST_BYTES: Final = 200_000
_SECONDS: Final = 5.0

_log = logging.getLogger("penstock.api")


class IssuerKeys:
    """An issuer's keys by their names; one for the life of a process."""

    def __init__(self, issuer: str, http: Http, clock: Clock) -> None:
        from asyncio import Lock  # imported late: who only reads the names of this file needs no loop

        self._issuer = issuer
        self._http = http
        self._clock = clock
        self._known: Mapping[str, Mapping[str, Any]] = {}
        self._fetched = self._asked = -STALE_MS
        self._lock = Lock()

    async def named(self, name: str) -> Mapping[str, Any] | None:
        """The key (a JWK, RFC 7517) of this name; None where the issuer has none.

        Raises ServiceError where the issuer does not answer, and what is known is too old.
        """
        now = to_milliseconds(self._clock.now())
        if name in self._known and now - self._fetched < FRESH_MS:  # whoever has a key waits for nobody's fetch
            return self._known[name]
        async with self._lock:  # requests that come together fetch once
            is_wanted = name not in self._known or now - self._fetched >= FRESH_MS
            if is_wanted and now - self._asked >= PAUSE_MS:
                self._asked = now
                try:
                    self._known = await self._fetch()
                    self._fetched = now
                except PenstockError as error:
                    _log.warning("the keys of the issuer %s cannot be fetched: %s", self._issuer, error.detail)
            if now - self._fetched >= STALE_MS:
                raise ServiceError("The issuer's keys cannot be fetched. Try again in a minute.", retry_after=60)
            return self._known.get(name)

    async def _fetch(self) -> Mapping[str, Mapping[str, Any]]:
        described = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if described.get("issuer") != self._issuer:
            raise ServiceError("its discovery document is another issuer's")
        address = described.get("jwks_uri")
        if not isinstance(address, str) or not self._is_own(address):
            raise ServiceError("its discovery document names keys on another host")
        found: Any = (await self._get(address)).get("keys")
        several = cast("list[Any]", found)[:MOST_KEYS] if isinstance(found, list) else []
        jwks = [cast("dict[str, Any]", each) for each in several if isinstance(each, dict)]
        return {each["kid"]: each for each in jwks if isinstance(each.get("kid"), str)}

    def _is_own(self, address: str) -> bool:
        try:
            own, other = urlsplit(self._issuer), urlsplit(address)
        except ValueError:
            return False
        return (own.scheme, own.netloc) == (other.scheme, other.netloc)

    async def _get(self, url: str) -> Mapping[str, Any]:
        """An address's JSON object; redirects are not followed."""
        request = HttpRequest(
            "GET", url, (("accept", "application/json"),), timeout_seconds=_SECONDS, limit_bytes=_MOST_BYTES
        )
        answer = await self._http.send(request)
        if answer.status != 200:
            raise ServiceError(f"it answers {answer.status}")
        try:
            found: Any = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise ServiceError("its answer is no JSON") from error
        if not isinstance(found, dict):
            raise ServiceError("its answer is no JSON object")
        return cast("dict[str, Any]", found)

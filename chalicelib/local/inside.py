"""The API asked from inside its own process: the very routes, without a socket."""

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from chalicelib.api.app import Api
from chalicelib.api.auth import key_hash
from chalicelib.api.request import Request, json_bytes, read_query
from chalicelib.flow.values import Json
from chalicelib.local.answers import error_from
from chalicelib.ports import Clock
from chalicelib.worker.budget import to_milliseconds

_FAILED_FROM = 400


class OwnKey:
    """A key for the length of this process, never written anywhere."""

    def __init__(self) -> None:
        self.plain = secrets.token_urlsafe(32)
        self.hash = key_hash(self.plain)


class Inside:
    """A client of the API in the same process."""

    def __init__(self, api: Api, clock: Clock, key: OwnKey) -> None:
        """`key` is one whose hash the API knows."""
        self._api = api
        self._clock = clock
        self._authorization = f"Bearer {key.plain}"

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Json] | bytes | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """The answer's JSON; raises the PenstockError that the API answered with.

        Args:
            method: in capitals.
            path: percent-encoded, without the query.
            query: parameters by name.
            body: JSON, or bytes of `content_type`.
            content_type: what the bytes are.
        """
        headers = {"authorization": self._authorization}
        content = b""
        if body is not None:
            content = body if isinstance(body, bytes) else json_bytes(body)
            headers["content-type"] = content_type
        text = urlencode(query or {})
        received = to_milliseconds(self._clock.now())
        answer = await self._api(Request(method, path, read_query(text), headers, content, received, query_text=text))
        if answer.status >= _FAILED_FROM:
            raise error_from(answer.status, answer.body)
        return json.loads(answer.body)

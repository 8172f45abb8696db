"""Asking a Penstock server over HTTP: the only file of the command line that knows httpx."""

import datetime
import email.utils
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from chalicelib.errors import CutOffError, NotSentError, ServiceError, TimedOutError, UsageError
from chalicelib.local.answers import error_from
from chalicelib.local.keys import kept_key

LOCAL_URL = "http://127.0.0.1:8700"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
TIMEOUT = httpx.Timeout(35.0, connect=5.0)
"""A server holds a request for at most 29 s (API Gateway's limit)."""
_FAILED_FROM = 400


class Client:
    """One server, and the key it is asked with; a context manager, which closes its connections."""

    def __init__(self, url: str, key: str | None, transport: httpx.BaseTransport | None = None) -> None:
        """`transport` stands in for the network in tests."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"{url} is no address of a server. Write http://host:port, or https://host.")
        if parts.username or parts.password:
            raise UsageError("A server's address holds no password. Put the key into PENSTOCK_KEY.")
        self.url = url.rstrip("/")
        self.has_key = key is not None
        headers = {"accept": "application/json", "user-agent": "penstock"}
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        self._http = httpx.Client(
            headers=headers, timeout=TIMEOUT, trust_env=False, follow_redirects=False, transport=transport
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: bytes | None = None,
        content_type: str = "",
    ) -> Any:
        """The answer's JSON.

        Args:
            method: in capitals.
            path: under `/api/v1`, percent-encoded.
            query: parameters by name.
            body: sent as JSON.
            content: sent as it is, as `content_type`.
            content_type: what the content is.

        Raises the error that the server answered with; NotSentError, TimedOutError or CutOffError where it did not.
        """
        answer = self.exchange(method, path, query=query, body=body, content=content, content_type=content_type)
        try:
            return answer.json()
        except ValueError as error:
            raise ServiceError(f"{self.url} did not answer as Penstock does. Is the address right?") from error

    def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: bytes | None = None,
        content_type: str = "",
    ) -> httpx.Response:
        """The whole answer, where it is a good one; raises as `ask` does."""
        headers = {"content-type": content_type} if content_type else None
        try:
            answer = self._http.request(
                method, f"{self.url}/api/v1{path}", params=query, json=body, content=content, headers=headers
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotSentError(
                f"Nobody answers at {self.url}. Start a server with `penstock dev`, or set PENSTOCK_URL."
            ) from error
        except httpx.TimeoutException as error:
            raise TimedOutError(
                f"{self.url} did not answer in time. Whether it acted is unknown: look first."
            ) from error
        except httpx.InvalidURL as error:
            raise UsageError(f"{self.url} is no address of a server.") from error
        except httpx.HTTPError as error:
            raise CutOffError(
                f"The connection to {self.url} ended before the answer. Whether it acted is unknown: look first."
            ) from error
        if answer.status_code >= _FAILED_FROM or answer.is_redirect:
            raise error_from(answer.status_code, answer.content)
        return answer


def client(url: str | None = None) -> Client:
    """The server that PENSTOCK_URL names, or the one on this machine; with PENSTOCK_KEY, or the key that one keeps.

    The key in `.penstock` belongs to this machine: it goes to loopback addresses and nowhere else.
    """
    address = url or os.environ.get("PENSTOCK_URL") or LOCAL_URL
    key = os.environ.get("PENSTOCK_KEY") or None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise UsageError("PENSTOCK_KEY is no key: it holds characters that none has.")
    if key is None and urlsplit(address).hostname in LOOPBACK:
        key = kept_key(Path(".penstock"))
    return Client(address, key)


def path_of(*parts: str) -> str:
    """A path from its parts, each percent-encoded."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def clock_of(answer: httpx.Response) -> datetime.datetime | None:
    """The server's clock, as its Date header has it."""
    try:
        return email.utils.parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return None

"""Which names the embedded server answers to: so that no page on the web can reach it through a name of its own.

A browser on this machine may open a stranger's page, and the stranger's name may then lead to 127.0.0.1 (DNS
rebinding): to the browser the server is the page's own origin. What gives it away is the Host header, which says the
stranger's name. A server on the loopback answers to the loopback's names, one that is open to the network to any
address too, and both to the names that were given to it.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from chalicelib.api.problems import problem
from chalicelib.api.request import Answer
from chalicelib.errors import UsageError

_HEADER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::[0-9]{1,5})?", re.ASCII)
"""A name or an address, and perhaps a port (RFC 9110 section 7.2)."""
_LOOPBACK: Final = frozenset({"localhost"})
_MISDIRECTED: Final = 421


class Hosts:
    """The names and addresses that a Host header may say."""

    def __init__(self, names: Iterable[str] = (), *, is_open: bool = False) -> None:
        """`names` besides the loopback's; `is_open`: it listens on more than the loopback. Raises UsageError."""
        self._names = {*_LOOPBACK, *map(_bare, names)}
        self._is_open = is_open

    def answers_to(self, header: str) -> bool:
        """Whether a Host header means this server; what cannot be read does not."""
        match = _HEADER.fullmatch(header)
        if match is None:
            return False
        host = match[1].lower().strip("[]")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host.rstrip(".") in self._names
        return self._is_open or address.is_loopback or host in self._names


def misdirected() -> Answer:
    """What is answered to a name that is not this server's (RFC 9110 section 15.5.20); the name is not repeated."""
    return problem(
        _MISDIRECTED,
        "host_unknown",
        "This server does not answer to the name in the request",
        "The Host header says a name that this server was not told of. Start it with --url, or with --allow-host NAME.",
    )


def _bare(name: str) -> str:
    """A name as it is compared; raises UsageError for what is none."""
    try:
        parts = urlsplit(name if "//" in name else f"//{name}")
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or "*" in host:
        raise UsageError(f"{name[:80]!r} is no name of a host. Write one such as penstock.example.com.")
    return host.rstrip(".")

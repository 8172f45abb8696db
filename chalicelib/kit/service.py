"""The outside systems that families of nodes talk to, described once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from chalicelib.kit.values import Response

Complaint: TypeAlias = Callable[[Response], str | None]
"""Looks at an answer and says, in the service's own words, what went wrong; None when nothing did."""


def says_nothing(response: Response) -> str | None:
    """No complaint beyond the status."""
    del response


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Headers with the calls left, and with the time (seconds since 1970) at which there will be more."""

    remaining: str
    reset: str


@dataclass(frozen=True, slots=True)
class Service:
    """A system outside: where it is, how it is signed for, and how it says that something failed.

    `base_url` may name parameters of the node in braces (`https://sqs.{region}.amazonaws.com`); a credential with a
    `base_url` field overrides it. `credential` is the kind that `signing.outbound` knows: `none`, `bearer`, `basic`,
    `header`, `query`, `aws`, or `any` where the stored credential says its own kind.
    """

    name: str
    base_url: str = ""
    credential: str = "none"
    credential_options: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the kind needs besides the secret: {"name": "X-Api-Key"} for `header`, {"service": "sqs"} for `aws`."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Sent with every request: an API version, an Accept."""
    complaint: Complaint = says_nothing
    """What an answer with a good status may still say: Slack's `ok: false`."""
    error_message: Complaint = says_nothing
    """The service's own sentence in an answer with a bad status."""
    passing: frozenset[str] = frozenset()
    """What `complaint` may say (up to a colon) that passes by itself, so that trying again may help."""
    rate_limit: RateLimit | None = None
    """The headers in which it says that a quota is used up."""
    idempotency_header: str | None = None
    """The header in which the service takes an idempotency key; None: it takes none."""
    docs: str = ""
    """The page that the field names come from."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an action goes: path parts in braces come from the fields, the rest follows the method."""

    method: str
    path: str

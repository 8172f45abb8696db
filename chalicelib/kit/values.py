"""The plain values a node exchanges with the world."""

import json as json_text
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""What JSON can hold. Values are shared between steps: whoever receives one never changes it."""


_NO_CHARSETS: Final = frozenset(
    {"utf-7", "utf7", "unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"}
)
"""Codecs of Python that no service means, and that give text UTF-8 cannot carry."""


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""No body at all, where `None` would be the JSON value null."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body."""

    name: str
    content: bytes
    filename: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a node wants sent. The worker adds the address, the credential and the idempotency key.

    At most one of `json`, `form`, `parts` and `content` is given. `path` is joined to the service's base URL; an
    absolute URL stands for itself. Query values that are None are left out; a list repeats its name. `allow` names
    statuses outside 2xx that the node wants to judge itself; any other is a failure before the node sees it.
    """

    method: str
    path: str
    query: Mapping[str, Json] = field(default_factory=dict[str, Json])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    json: Json = ABSENT
    form: Mapping[str, Json] | None = None
    parts: Sequence[Part] = ()
    content: bytes | None = None
    allow: tuple[int, ...] = ()
    signed: bool = True
    """False sends it without the credential: a presigned upload address, another host."""
    fills: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values for the braces in the service's base URL that the node worked out itself, such as a queue's `region`."""
    limit_bytes: int | None = None
    """The largest answer this request takes, in bytes; None: the deployment's limit."""
    to_own: bool = False
    """It may go to the deployment that runs the flow, which is refused otherwise."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Header names are in lower case."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, json: Json, status: int = 200, **headers: str) -> "Response":
        """A JSON answer, for examples and tests. Header names are written with underscores."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        content = json_text.dumps(json, ensure_ascii=False).encode()
        return cls(status, content, {"content-type": "application/json", **named})

    @property
    def json(self) -> Json:
        """The body as JSON; raises ValueError where it is not."""
        return json_text.loads(self.content)

    @property
    def text(self) -> str:
        """The body as text, in the charset its Content-Type names, else UTF-8; what cannot be read becomes U+FFFD."""
        charset = "utf-8"
        for piece in self.headers.get("content-type", "").split(";")[1:]:
            key, _, value = piece.strip().partition("=")
            if key.lower() == "charset":
                charset = value.strip("\"' ")
        if charset.lower().replace("_", "-") in _NO_CHARSETS:
            charset = "utf-8"
        try:
            return self.content.decode(charset, "replace")
        except (LookupError, ValueError):
            return self.content.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class StartFlow:
    """Start another flow. Answered with `Started`."""

    flow: str
    inputs: Mapping[str, Json]
    is_waited: bool = False
    """Whether the step waits for its end afterwards: then it is told, and a cancel reaches it."""


@dataclass(frozen=True, slots=True)
class Started:
    """The execution that was started: its id and its address."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class PutFile:
    """Keep bytes as a file. Answered with its reference, `{"file", "name", "type", "size"}`."""

    content: bytes
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class GetFile:
    """Read a file that a reference names. Answered with its bytes."""

    file: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class GetMoment:
    """The time and the randomness of this step: the same on every worker. Answered with `Moment`."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The step's time (the latest end in the facts it sees), its time zone, and 32 bytes of its own randomness."""

    now: datetime
    zone: str
    seed: bytes


@dataclass(frozen=True, slots=True)
class Hmac:
    """Key a hash with the secret of the step's credential, `{"secret": text}`, as UTF-8. Answered with the digest.

    `algorithm` is `sha1`, `sha256`, `sha384` or `sha512`. The worker opens the credential: a node never sees a secret.
    """

    algorithm: str
    content: bytes


@dataclass(frozen=True, slots=True)
class RunCode:
    """Run the author's program in the sandbox. Answered with what it returns, as JSON; its failure fails the step.

    `language` names an engine: `javascript`. The program knows `input`, the step's time and its randomness, and reaches
    nothing.
    """

    language: str
    code: str
    input: Json


Ask: TypeAlias = Request | StartFlow | PutFile | GetFile | GetMoment | Hmac | RunCode
"""Everything a node can ask of the worker, as data."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: a code for programs, a sentence for people, never a secret or a body.

    `code` is `http_404`, `timeout`, `connect`, `expression` and the like; `kind` is what retry rules name. `sent` says
    whether the request can have had an effect: `no` it certainly did not leave, `answered` the service answered,
    `partly` an earlier request of the same attempt was answered, `maybe` nobody knows.
    """

    code: str
    message: str
    status: int | None = None
    is_retriable: bool = False
    retry_after_seconds: float | None = None
    sent: str = "no"
    detail: Json = None
    """What the service said of its failure, redacted and bounded; a flow reads it as `errors.x.detail`."""
    url: str | None = None
    """Where the request went, without query and credentials."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The attempt worked: a value, and the port by which the step is left."""

    value: Json = None
    port: str = "done"


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether the effect happened."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Waits:
    """The step goes on at a moment, or once something comes, at the latest at that moment."""

    until: datetime | None
    """None: there is no such moment."""
    value: Json = None
    """What the step's value is once the moment has come; for a call, {"id", "url"} of the execution it waits for."""
    port: str = "done"
    """By which the step is left when the moment has come."""
    for_: str = "timer"
    """What it waits for: `timer` (the moment alone), `callback`, `approval`, or `call` (another execution's end)."""
    heartbeat: timedelta | None = None
    """A callback: the longest silence; each heartbeat moves the moment."""


Outcome: TypeAlias = Succeeded | Failed | Unknown | Waits
"""What an attempt concluded."""

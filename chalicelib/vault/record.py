"""A stored credential: what is sealed, and what may be shown of it beside that."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from chalicelib.flow.values import Json
from chalicelib.vault.errors import SealBrokenError

KIND: Final = "credential"
"""The kind of its documents."""
FORM: Final = 1
BOUND: Final = "@bound"
"""The name, none that a field can have, under which is sealed what stands beside the seal in the clear."""

ShareRole = Literal["editor", "admin"]


@dataclass(frozen=True, slots=True)
class Share:
    """Who may use a credential.

    Attributes:
        role: the least role that publishes a flow with it, gives it new values and tests it.
        flows: the only flows that may use it; None: each may.
    """

    role: ShareRole = "editor"
    flows: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Json]:
        """As it is stored and shown."""
        return {"role": self.role, "flows": None if self.flows is None else list[Json](self.flows)}


ANYBODY: Final = Share()


@dataclass(frozen=True, slots=True)
class Former:
    """The version before, which deliveries may still be signed with."""

    version: int
    sealed: dict[str, Json]
    until: int
    """Epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Record:
    """A credential as its document holds it. Times are epoch milliseconds."""

    type: str
    version: int
    sealed: dict[str, Json]
    created: int
    changed: int
    hosts: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """The names of its fields, for whoever looks."""
    share: Share = ANYBODY
    former: Former | None = None

    def bound(self) -> str:
        """What decides how it is used, as one text; sealed with the fields, so that nobody changes it beside them."""
        former = None if self.former is None else [self.former.version, self.former.until]
        return json.dumps([self.type, list(self.hosts), list(self.fields), self.share.to_json(), former])

    def to_json(self) -> dict[str, Json]:
        """The document's value."""
        value: dict[str, Json] = {
            "v": FORM,
            "type": self.type,
            "hosts": list[Json](self.hosts),
            "fields": list[Json](self.fields),
            "version": self.version,
            "sealed": self.sealed,
            "created": self.created,
            "changed": self.changed,
            "share": self.share.to_json(),
        }
        if self.former is not None:
            former = self.former
            value["former"] = {"version": former.version, "sealed": former.sealed, "until": former.until}
        return value


def record_from(value: Mapping[str, Json]) -> Record:
    """A document's value, read; raises SealBrokenError where it is none of ours."""
    given: Mapping[str, Any] = value
    try:
        if given["v"] != FORM:
            raise SealBrokenError("The credential was written by a newer Penstock. Use that one, or set it again.")
        share, former = given["share"], given.get("former")
        flows = share["flows"]
        return Record(
            str(given["type"]),
            _whole(given["version"]),
            dict(given["sealed"]),
            _whole(given["created"]),
            _whole(given["changed"]),
            tuple(map(str, given["hosts"])),
            tuple(map(str, given["fields"])),
            Share(
                "editor" if share["role"] == "editor" else "admin", None if flows is None else tuple(map(str, flows))
            ),
            None
            if former is None
            else Former(_whole(former["version"]), dict(former["sealed"]), _whole(former["until"])),
        )
    except (KeyError, TypeError, ValueError):
        raise SealBrokenError from None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value

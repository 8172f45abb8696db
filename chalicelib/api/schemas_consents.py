"""What the routes that connect credentials give; `schemas` shows these among all others. No answer holds a token."""

from collections.abc import Mapping
from typing import Final

from chalicelib.flow.values import Json

_TEXT: Final[dict[str, Json]] = {"type": "string"}
_TIME: Final[dict[str, Json]] = {"type": "string", "format": "date-time"}


def _object(**properties: Json) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list[Json](properties),
        "additionalProperties": False,
    }


ANSWERS: Final[Mapping[str, dict[str, Json]]] = {
    "ConsentBegun": _object(
        name=_TEXT,
        url={"type": "string", "description": "Where a person agrees; whoever does so connects their account."},
        attempt={"type": "string", "description": "Ask how it stands by this."},
        expires=_TIME,
    ),
    "Consent": _object(
        name=_TEXT,
        status={"type": "string", "enum": ["pending", "connected", "denied", "expired"]},
        expires=_TIME,
        said={"type": ["string", "null"], "description": "Why it was denied."},
    ),
    "Connected": _object(name=_TEXT, status={"type": "string", "enum": ["connected"]}),
}

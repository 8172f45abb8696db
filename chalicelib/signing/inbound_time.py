"""The sender's time: read strictly, and held against the window."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.errors import DeliveryStaleError
from chalicelib.signing.inbound_scheme import TimeUnit

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Eleven digits of seconds reach the year 5138; more is no time, and would overflow.
_SECONDS: Final = re.compile(r"[0-9]{1,11}", re.ASCII)
_MILLISECONDS: Final = re.compile(r"[0-9]{1,14}", re.ASCII)
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def time_from(text: str, unit: TimeUnit) -> datetime | None:
    """The moment a text states, or None if it does not state one in exactly this form."""
    match unit:
        case "seconds":
            return _EPOCH + timedelta(seconds=int(text)) if _SECONDS.fullmatch(text) else None
        case "milliseconds":
            return _EPOCH + timedelta(milliseconds=int(text)) if _MILLISECONDS.fullmatch(text) else None
        case "rfc3339":
            if not _RFC3339.fullmatch(text):
                return None
            try:
                # Python reads at most six decimals; nanoseconds are cut, not rounded.
                return datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text).upper()).astimezone(UTC)
            except (ValueError, OverflowError):
                return None


def refuse_stale(signed_at: datetime, window_seconds: int, now: datetime) -> None:
    """Raise DeliveryStaleError if a moment is further from now than the window, in either direction."""
    apart = (now - signed_at).total_seconds()
    if abs(apart) > window_seconds:
        side = "ago" if apart > 0 else "ahead"
        raise DeliveryStaleError(
            f"The delivery was signed {abs(apart):.0f} s {side}; {window_seconds} s are allowed. "
            "Check the sender's clock; a delivery that is sent again later must be signed again."
        )

"""Times as the outside sees them: RFC 3339 in UTC, three decimals and `Z`; epoch milliseconds inside (design 9)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from chalicelib.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_text(milliseconds: int) -> str:
    """`2026-11-20T07:00:00.000Z`."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    """A second of the epoch as text; most of what is asked for lies in the last few."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def to_text_or_none(milliseconds: int) -> str | None:
    """The same, None for 0, which stands for a time that has not come."""
    return to_text(milliseconds) if milliseconds else None


def to_milliseconds(moment: datetime) -> int:
    """Epoch milliseconds of an aware moment."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_milliseconds(milliseconds: int) -> datetime:
    """The moment, aware, in UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def from_text(text: str, where: str) -> int:
    """Epoch milliseconds of an RFC 3339 time with its zone; raises UsageError naming where it stood."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"`{where}` is a time with its zone, such as 2026-11-20T07:00:00Z.")
    return to_milliseconds(moment)

"""JSONata's own functions that we replace: what reads a clock or draws, what is wrong, what has no bound.

They keep JSONata's meaning (https://docs.jsonata.org), UTC as the zone where none is given included.
"""

from datetime import UTC, datetime

from chalicelib.errors import ExpressionError
from chalicelib.flow import dates
from chalicelib.flow.functions import Function, Surroundings, table
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of

WIDEST_PAD = 10_000
"""Characters; `$pad` has no bound of its own, and a width is data."""


def now(around: Surroundings, picture: Json = None, zone: Json = None) -> Json:
    """The step's time as ISO text, or by a picture."""
    return _print(around, around.moment.now, picture, zone)


def millis(around: Surroundings) -> int:
    """The step's time in milliseconds since 1970."""
    return dates.milliseconds(around.moment.now)


def random(around: Surroundings) -> float:
    """A number from 0 up to but without 1, the same on every worker."""
    return around.stream.random()


def from_millis(around: Surroundings, value: Json, picture: Json = None, zone: Json = None) -> Json:
    """Milliseconds since 1970 as ISO text, or by a picture; the zone may be a name, with its summer time."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ExpressionError(
            f"`$fromMillis` wants a number, and was given {kind_of(value)}.  ->  $date(t, ...) takes any time."
        )
    return _print(around, dates.read_time(value, UTC), picture, zone)


def to_millis(around: Surroundings, text: Json, picture: Json = None) -> Json:
    """Milliseconds since 1970 of ISO text, or of text by a picture (nothing where it does not fit)."""
    if not isinstance(text, str):
        raise ExpressionError(f"`$toMillis` wants text, and was given {kind_of(text)}.  ->  Write it as ISO 8601.")
    if picture is None:
        return dates.milliseconds(dates.read_time(text, UTC))
    return around.jsonata("$toMillis(text, picture)", {"text": text, "picture": picture})


def _print(around: Surroundings, moment: datetime, picture: Json, zone: Json) -> Json:
    if zone is not None and not isinstance(zone, str):
        raise ExpressionError("A time zone is text.  ->  Write one such as Europe/Berlin, UTC or +0100.")
    local = moment.astimezone(dates.zone_of(zone) if zone else UTC)
    if picture is None:
        return local.isoformat(timespec="milliseconds") if local.utcoffset() else dates.iso(moment)
    # The picture is JSONata's work; which offset holds at that moment in that zone is ours.
    document: dict[str, Json] = {"t": dates.milliseconds(moment), "p": picture, "z": local.strftime("%z")[:5]}
    return around.jsonata("$fromMillis(t, p, z)", document)


def pad(text: Json, width: Json, letter: Json = " ") -> str:
    """The text made as wide as said: filled on the right, or with a negative width on the left."""
    if not isinstance(text, str):
        raise ExpressionError(f"`$pad` wants text, and was given {kind_of(text)}.  ->  $string(x) makes text.")
    if not isinstance(width, int) or isinstance(width, bool) or abs(width) > WIDEST_PAD:
        raise ExpressionError(f"`$pad` wants a whole number up to {WIDEST_PAD}.  ->  Write $pad(text, -5, '0').")
    filler = letter if isinstance(letter, str) and letter else " "
    lack = max(0, abs(width) - len(text))
    filling = (filler * (lack // len(filler) + 1))[:lack]
    return filling + text if width < 0 else text + filling


def refuse_eval(*_: Json) -> Json:
    """Refuse: a text that is data is never evaluated."""
    raise ExpressionError("`$eval` is refused: data is never evaluated.  ->  Write the expression itself, or $parse.")


def refuse_shuffle(*_: Json) -> Json:
    """Refuse: its order cannot be repeated on another worker."""
    raise ExpressionError("`$shuffle` is refused: another worker could not repeat it.  ->  Sort instead: x^(field).")


_ISO_NOW = "2026-11-20T07:00:00.000Z"

REPLACEMENTS = table(
    Function("$now(picture?, tz?)", "The step's time.", "$now()", _ISO_NOW, now, 0, 2, 0, looks_around=True),
    Function("$millis()", "The step's time.", "$millis()", 1795158000000, millis, 0, 0, 0, looks_around=True),
    Function("$random()", "A number below 1.", "$floor($random())", 0, random, 0, 0, 0, looks_around=True),
    Function(
        "$fromMillis(x, picture?, tz?)",
        "Milliseconds as text.",
        '$fromMillis(0, "[H01]:[m01]", "Europe/Berlin")',
        "01:00",
        from_millis,
        1,
        3,
        looks_around=True,
    ),
    Function(
        "$toMillis(text, picture?)",
        "Text as milliseconds.",
        '$toMillis("1970-01-01T00:00:01Z")',
        1000,
        to_millis,
        1,
        2,
        looks_around=True,
        may_find_nothing=True,
    ),
    Function("$pad(text, width, char?)", "The text, filled up.", '$pad("7", -3, "0")', "007", pad, 2, 3),
    Function("$eval(text)", "Refused.", "1", 1, refuse_eval, 0, 9, 0),
    Function("$shuffle(list)", "Refused.", "1", 1, refuse_shuffle, 0, 9, 0),
)
"""Registered in the place of JSONata's own, where an expression names them."""

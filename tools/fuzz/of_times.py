"""Parsers of times, spans, zones, date patterns and schedules."""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, object_of, text_of

_NOW: Final = datetime(2026, 11, 20, 7, tzinfo=UTC)
_ZONES: Final = (
    b"UTC",
    b"Z",
    b"+01:00",
    b"Europe/Berlin",
    b"America/New_York",
    b"../../etc/passwd",
    b"/",
    b"-14:00",
    b"GMT",
)


def _time() -> Take:
    dates: Any = import_module("chalicelib.flow.dates")
    berlin = dates.zone_of("Europe/Berlin")

    def take(content: bytes) -> object:
        moment = dates.read_time(text_of(content), berlin)
        for unit in ("week", "month", "quarter"):
            dates.start_of(moment, unit, berlin)
        return dates.iso(moment), dates.milliseconds(moment)

    return take


def _span() -> Take:
    dates: Any = import_module("chalicelib.flow.dates")
    return lambda content: dates.shift(_NOW, dates.read_duration(text_of(content)))


def _zone() -> Take:
    dates: Any = import_module("chalicelib.flow.dates")
    return lambda content: dates.zone_of(text_of(content))


def _date_pattern() -> Take:
    patterns: Any = import_module("chalicelib.flow.date_patterns")
    return lambda content: patterns.format_time(_NOW, text_of(content), UTC)


def _duration() -> Take:
    durations: Any = import_module("chalicelib.kit.durations")
    return lambda content: durations.parse_duration(text_of(content))


def _cron() -> Take:
    """Read it; where it can be read, find its moments, and say it in the words of EventBridge."""
    cron: Any = import_module("chalicelib.kit.cron")
    spoken: Any = import_module("chalicelib.adapters.aws.schedule_text").spoken
    zones = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo")

    def take(content: bytes) -> object:
        schedule = cron.parse_cron(text_of(content))
        zone = zones[len(content) % 4]
        if not cron.ever_fires(schedule, zone):
            return None
        spoken(schedule, zone, _NOW)
        return cron.next_time(schedule, _NOW, zone), cron.previous_time(schedule, _NOW, zone)

    return take


def _schedule() -> Take:
    cron: Any = import_module("chalicelib.kit.cron")

    def take(content: bytes) -> object:
        return cron.schedule_of(object_of(content))

    return take


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    crons = (
        "0 9 * * MON-FRI",
        "*/15 * * * *",
        "30 2 29 2 *",
        "0 0 1 1 ? ",
        "@daily",
        "5,10-20/3 1 * JAN,dec 0-7",
        "10 * * * * *",
    )
    times = (
        *(
            "2026-11-20T07:00:00.000Z",
            "2026-11-20 07:00",
            "2026-11-20",
            "Fri, 20 Nov 2026 07:00:00 +0100",
            "1795158000000",
        ),
        *(
            "2026-W47-5",
            "20261120T070000Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59.999999-12:00",
            "2026-11-20T24:00Z",
        ),
    )
    return (
        Parser(
            "time",
            "flow.dates.read_time, start_of",
            lambda: corpus.as_bytes(*times),
            _time,
            share=1500,
            words=_ZONES,
            most_bytes=2_000,
        ),
        Parser(
            "span",
            "flow.dates.read_duration, shift",
            lambda: corpus.as_bytes("1h30m", "2d", "500ms", "1w2d3h4m5s6ms"),
            _span,
            share=3000,
            words=(b"h", b"m", b"ms", b"w", b"d", b"s"),
            most_bytes=2_000,
        ),
        Parser("zone", "flow.dates.zone_of", lambda: list(_ZONES), _zone, share=1000, words=_ZONES, most_bytes=2_000),
        Parser(
            "date_pattern",
            "flow.date_patterns.format_time",
            lambda: corpus.as_bytes("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "EEE d. MMMM", "''"),
            _date_pattern,
            share=600,
            words=(b"yyyy", b"MM", b"'", b"ZZZZ", b"LLL", b"o", b"W"),
            most_bytes=2_000,
        ),
        Parser(
            "duration",
            "kit.durations.parse_duration",
            lambda: corpus.as_bytes("90s", "10m", "1h30m", "2d", "1w"),
            _duration,
            (ValueError,),
            3000,
            words=(b"h", b"m", b"w", b"d", b"s"),
            most_bytes=2_000,
        ),
        Parser(
            "cron",
            "kit.cron.parse_cron, next_time, previous_time, adapters.aws.schedule_text.spoken",
            lambda: corpus.as_bytes(*crons),
            _cron,
            (ValueError,),
            500,
            words=(b"*", b"*/", b"?", b"L", b"W", b"#", b"SUN", b"JAN", b"59", b"31", b" ", b"-", b",", b"/"),
            most_bytes=2_000,
        ),
        Parser(
            "schedule",
            "kit.cron.schedule_of",
            lambda: corpus.as_json(*({"cron": each} for each in crons), {"every": "15m"}, {"every": "2d"}),
            _schedule,
            (ValueError,),
            500,
            "json",
        ),
    )

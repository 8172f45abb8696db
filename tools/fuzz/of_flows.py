"""Parsers of what authors write: flows, expressions, templates, times, schedules, test files."""

import json
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from chalicelib.errors import FlowCheckError, FlowTextError, PenstockError, UsageError
from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, object_of, text_of, value_of

_NAMES: Final = frozenset({"trigger", "inputs", "vars", "execution", "item", "items", "index"})
_NOW: Final = datetime(2026, 11, 20, 7, tzinfo=UTC)
_KEYS: Final = (
    *(
        b"flow:",
        b"steps:",
        b"triggers:",
        b"uses: set",
        b"with:",
        b"after:",
        b"if:",
        b"foreach",
        b"  ",
        b"\n  ",
        b": ",
        b"- ",
    ),
    *(
        b"|-\n",
        b">\n",
        b"? ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!python/object:x ",
        b"---\n",
        b"...\n",
        b"#",
        b"%YAML 1.1\n",
        b"~",
    ),
    *(b"{", b"}", b"[", b"]", b", ", b"${ steps.a }", b"$${", b"on_error: continue", b"null", b"0o17", b"1e3", b".inf"),
)
_CODE: Final = (
    *(
        b"steps.a",
        b"inputs",
        b"trigger.body",
        b"$map(",
        b"function($x){",
        b"}",
        b"$sum(",
        b"~>",
        b":=",
        b"?:",
        b"??",
        b"**",
    ),
    *(
        b"/a+/i",
        b"[",
        b"]",
        b"(",
        b")",
        b"{",
        b"^(",
        b"%",
        b"$$",
        b"@$x",
        b"#$i",
        b"/*",
        b"*/",
        b"'",
        b'"',
        b"`",
        b"\\",
    ),
    *(
        b".",
        b"..",
        b"&",
        b" and ",
        b" in ",
        b"|a|{}|",
        b"$eval(",
        b"null",
        b"1e999",
        b"-",
        b"!=",
        b"<=",
        b";",
        b"${",
        b"$",
    ),
)
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


def _yaml_read() -> Take:
    text: Any = import_module("chalicelib.flow.text")
    return lambda content: text.read_draft(content, "flow.yaml")


def _json_read() -> Take:
    text: Any = import_module("chalicelib.flow.text")
    return lambda content: text.read_draft(content, "flow.json")


def _checked() -> Take:
    """What `penstock check`, `publish` and the API do with a file, as far as a plan."""
    text: Any = import_module("chalicelib.flow.text")
    publishing: Any = import_module("chalicelib.api.publishing")
    planning: Any = import_module("chalicelib.flow.planning")
    catalogue: Any = import_module("chalicelib.catalogue")

    def take(content: bytes) -> object:
        document = text.read_draft(content, "flow.json")
        name = document.data.get("flow")
        publishing.checked(document, name if isinstance(name, str) else "flow")
        return planning.make_plan(document.data, catalogue.entries())

    return take


def _formatted() -> Take:
    formatting: Any = import_module("chalicelib.flow.formatting")
    return lambda content: formatting.format_yaml(text_of(content), "flow.yaml")


def _flow_documents() -> list[bytes]:
    read: Any = import_module("chalicelib.flow.text").read_draft
    found: list[bytes] = []
    for each in corpus.flow_texts():
        try:
            found.append(json.dumps(read(each, "flow.yaml").data).encode())
        except FlowTextError:
            continue
    return found


def _analysed() -> Take:
    mentions: Any = import_module("chalicelib.flow.mentions")
    expressions: Any = import_module("chalicelib.flow.expressions")

    def take(content: bytes) -> object:
        analysis = mentions.analyse(text_of(content), _NAMES)
        return None if analysis.mistakes else expressions.compile_check(analysis.rewritten)

    return take


def _analysis_alone() -> Take:
    analyse: Any = import_module("chalicelib.flow.mentions").analyse
    return lambda content: analyse(text_of(content), _NAMES)


def _template() -> Take:
    templates: Any = import_module("chalicelib.flow.templates")
    untyped: Any = import_module("chalicelib.flow.targets").UNTYPED
    return lambda content: templates.compile_template(text_of(content), untyped, "with", _NAMES)


def _not_closed() -> type[Exception]:
    return import_module("chalicelib.flow.scanner").NotClosed


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


def _regular_expression() -> Take:
    patterns: Any = import_module("chalicelib.flow.patterns")

    def take(content: bytes) -> object:
        pattern, _, text = text_of(content).partition("\n")
        return patterns.Pattern(pattern).find(text[:2_000])

    return take


def _suite() -> Take:
    """A test file beside the flow that it names, or another one."""
    text: Any = import_module("chalicelib.flow.text")
    files: Any = import_module("chalicelib.rehearsal.files")
    reading: Any = import_module("chalicelib.rehearsal.reading")
    entries: Any = import_module("chalicelib.catalogue").entries()
    flows = {
        path.stem: files.read_flow(path) for path in corpus.ROOT.glob("flows/*.yaml") if not path.stem.endswith(".test")
    }
    path = Path("a.test.yaml")

    def take(content: bytes) -> object:
        document = text.read_draft(content, str(path))
        flow = flows.get(str(document.data.get("flow")), flows["order-desk"])
        return reading.read_suite(path, document, flow, entries)

    return take


def _suite_value() -> Take:
    """The same, but well-formed: what is fuzzed is what it means."""
    taken = _suite()
    return lambda content: taken(json.dumps(value_of(content)).encode())


def _suite_documents() -> list[bytes]:
    read: Any = import_module("chalicelib.flow.text").read_draft
    return [json.dumps(read(each, "a.test.yaml").data).encode() for each in corpus.suite_texts()]


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    scanned = (PenstockError, _not_closed())
    text_errors = (FlowTextError, UsageError)
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
    patterns = (r"(\d+)-(?P<a>[a-z]+)", "^a{2,5}$\naaa", r"[\w.]+@\S+\na@b", "(a+)+b\naaaa", r"\p{L}[[:alpha:]]")
    return (
        Parser(
            "flow_yaml",
            "flow.text.read_draft",
            lambda: list(corpus.flow_texts()),
            _yaml_read,
            text_errors,
            60,
            words=_KEYS,
        ),
        Parser(
            "flow_json",
            "flow.text.read_draft",
            _flow_documents,
            _json_read,
            text_errors,
            200,
            words=_KEYS,
            most_bytes=30_000,
        ),
        Parser(
            "flow_check",
            "api.publishing.checked, flow.planning.make_plan",
            _flow_documents,
            _checked,
            (FlowTextError, FlowCheckError, UsageError),
            60,
            "json",
            _CODE,
            seconds=3.0,
        ),
        Parser(
            "flow_format",
            "flow.formatting.format_yaml",
            lambda: list(corpus.flow_texts()),
            _formatted,
            text_errors,
            25,
            words=_KEYS,
            seconds=2.0,
        ),
        Parser(
            "expression",
            "flow.mentions.analyse, flow.expressions.compile_check",
            lambda: corpus.as_bytes(*corpus.expressions()),
            _analysed,
            (),
            600,
            words=_CODE,
            most_bytes=20_000,
        ),
        Parser(
            "template",
            "flow.templates.compile_template",
            lambda: corpus.as_bytes(*(f"a ${{ {each} }} b" for each in corpus.expressions())),
            _template,
            scanned,
            500,
            words=(*_CODE, b"${ ", b" }", b"$${"),
            most_bytes=20_000,
        ),
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
        Parser(
            "pattern",
            "flow.patterns.Pattern",
            lambda: corpus.as_bytes(*patterns),
            _regular_expression,
            share=60,
            seconds=4.0,
            words=(b"(?:", b"[^", b"\\d", b"{1,5}", b"|", b"(?<a>", b"\\p{L}", b".*", b"+", b"\n"),
            most_bytes=3_000,
        ),
        Parser(
            "suite",
            "rehearsal.reading.read_suite",
            lambda: list(corpus.suite_texts()),
            _suite,
            (FlowTextError, FlowCheckError, UsageError),
            12,
            words=_KEYS,
            seconds=3.0,
        ),
        Parser(
            "suite_value",
            "rehearsal.reading.read_suite",
            _suite_documents,
            _suite_value,
            (FlowTextError, FlowCheckError, UsageError),
            20,
            "json",
            seconds=3.0,
        ),
    )

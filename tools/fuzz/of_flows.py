"""Parsers of what authors write: flows, expressions, templates, times, schedules, test files."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from chalicelib.errors import FlowCheckError, FlowTextError, PenstockError, UsageError
from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, text_of, value_of

_NAMES: Final = frozenset({"trigger", "inputs", "vars", "execution", "item", "items", "index"})
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


def _template() -> Take:
    templates: Any = import_module("chalicelib.flow.templates")
    untyped: Any = import_module("chalicelib.flow.targets").UNTYPED
    return lambda content: templates.compile_template(text_of(content), untyped, "with", _NAMES)


def _not_closed() -> type[Exception]:
    return import_module("chalicelib.flow.scanner").NotClosed


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

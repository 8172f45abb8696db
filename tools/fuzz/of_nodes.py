"""Parsers that are nodes: every node's parameters, and the texts that CSV, XML, YAML, JSON and date nodes read."""

import json
from collections.abc import Callable, Generator, Iterable
from importlib import import_module
from typing import Any, Final, cast

from chalicelib.errors import PenstockError
from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, Unfit, object_of, text_of

_XML: Final = (
    *(
        b"<a>",
        b"</a>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<?xml version='1.0' encoding='utf-16'?>",
        b"&#x10FFFF;",
        b"&lt;",
    ),
    *(b'<!DOCTYPE a [<!ENTITY b "c">]>', b"&b;", b' x="1"', b'xmlns:p="u"', b"<p:q/>", b"&#0;"),
)
_YAML: Final = (
    b"a: ",
    b"- ",
    b"\n",
    b"  ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!binary ",
    b"|\n",
    b">-\n",
    b"? ",
    b"{",
    b"[",
    b"# x",
    b"---\n",
    b"\t",
    b"%TAG ! x\n",
)
_PURE: Final = ("crypto", "csv", "data", "date", "json", "text", "xml", "yaml")


def _built() -> Take:
    """`{"uses": ..., "with": ...}`: the parameters as a node of the catalogue takes them."""
    catalogue: Any = import_module("chalicelib.catalogue")

    def take(content: bytes) -> object:
        given = object_of(content)
        if not isinstance(given.get("with"), dict) or not isinstance(given.get("uses"), str):
            raise Unfit
        return catalogue.build(given["uses"], given["with"])

    return take


def _run() -> Take:
    """The same, and a pure node does its work: a value that is JSON, or a failure with a code."""
    catalogue: Any = import_module("chalicelib.catalogue")
    pure = frozenset(name for name in catalogue.entries() if name.partition(".")[0] in _PURE)

    def take(content: bytes) -> object:
        given = object_of(content)
        if str(given.get("uses")) not in pure or not isinstance(given.get("with"), dict):
            raise Unfit
        return _outcome(catalogue.find(given["uses"]), given["with"])

    return take


def _examples(services: Iterable[str] = ()) -> Callable[[], list[bytes]]:
    """What the catalogue's own examples give to each node, so that nodes that are added are tried too."""
    wanted = frozenset(services)

    def found() -> list[bytes]:
        entries: dict[str, dict[str, Any]] = import_module("chalicelib.catalogue").entries()
        examples: list[dict[str, Any]] = [
            {"uses": name, "with": one.get("given", {})}
            for name, entry in entries.items()
            if not wanted or name.partition(".")[0] in wanted
            for one in _all(entry)
        ]
        return corpus.as_json(*examples)

    return found


def _outcome(node: Any, given: dict[str, Any]) -> object:
    """What a pure node gives: a value that is JSON, or a failure with a code; a refusal is a ParameterError."""
    values: Any = import_module("chalicelib.kit.values")
    moment: Any = import_module("tests.talk").MOMENT
    answer: Any = import_module("chalicelib.catalogue").construct(node, "a.b", given).run()
    if isinstance(answer, Generator):
        talk = cast("Generator[Any, Any, Any]", answer)
        try:
            ask = next(talk)
            while True:
                if not isinstance(ask, values.GetMoment):
                    raise Unfit  # it wants the world: a file's content
                ask = talk.send(moment)
        except StopIteration as end:
            answer = end.value
    if not isinstance(answer, values.Failed):
        json.dumps(answer, allow_nan=False)
    elif not answer.failure.code:
        raise AssertionError("a failure without a code")
    return answer


def _all(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """A node's examples; one that has none is tried with no parameters."""
    first: dict[str, Any] = entry.get("example") or {}
    more: list[dict[str, Any]] = entry.get("more_examples") or []
    return [first, *more]


def _text_node(node_type: str, field: str = "text", **options: Any) -> Callable[[], Take]:
    """A node that reads a text, with these options besides."""

    def opened() -> Take:
        node: Any = import_module("chalicelib.catalogue").find(node_type)
        return lambda content: _outcome(node, {field: text_of(content), **options})

    return opened


def _pointer() -> Take:
    pointers: Any = import_module("chalicelib.nodes.json.pointers")
    value = {"a": [1, {"b": 2}], "": 3, "~": 4}

    def take(content: bytes) -> object:
        return pointers.follow(value, pointers.read_pointer(text_of(content)))

    return take


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    csv_texts = corpus.as_bytes(
        'sku,name\r\n007,"Hook, ""large"""\r\n\r\n8,Eye\n', "a;1\nb;2,5\n", "\ufeffid\tok\n12\ttrue"
    )
    xml_texts = corpus.as_bytes(
        '<?xml version="1.0"?><a x="1"><b>t</b><b/><!-- c --><![CDATA[<]]></a>',
        '<r xmlns="u" xmlns:p="v"><p:i>&amp;</p:i></r>',
    )
    yaml_texts = [*corpus.flow_texts()[:4], *corpus.as_bytes("a: [1, {b: c}]\nd: |\n  x\n", "- 1\n- 'x'\n- null\n")]
    return (
        Parser(
            "parameters", "catalogue.build: every node's parameters", _examples(), _built, (PenstockError,), 500, "json"
        ),
        Parser(
            "pure_node",
            "catalogue.find(...).run: every node without a service",
            _examples(_PURE),
            _run,
            (PenstockError,),
            400,
            "json",
            seconds=3.0,
        ),
        Parser(
            "csv",
            "nodes.csv.parse",
            lambda: csv_texts,
            _text_node("csv.parse", delimiter="auto", types="detect", ragged="fill"),
            share=600,
            words=(b'"', b'""', b",", b";", b"\t", b"\r\n", b"\r"),
        ),
        Parser("xml", "nodes.xml.parse", lambda: xml_texts, _text_node("xml.parse"), share=600, words=_XML),
        Parser(
            "yaml", "nodes.yaml.parse", lambda: yaml_texts, _text_node("yaml.parse"), share=80, words=_YAML, seconds=3.0
        ),
        Parser(
            "json",
            "nodes.json.parse",
            lambda: corpus.as_bytes('{"a": [1, 2.5, null]}', '"x"', "[[[]]]"),
            _text_node("json.parse"),
            share=500,
            words=(b"[", b'{"a":', b"\\ud800", b"1e400", b"NaN"),
        ),
        Parser(
            "date",
            "nodes.date.parse",
            lambda: corpus.as_bytes("2026-11-20 07:00", "20.11.2026", "Fri, 20 Nov 2026 07:00:00 GMT", "1795158000"),
            _text_node("date.parse", "time"),
            share=400,
            words=(b"T", b"Z", b"+01:00", b"Nov"),
            most_bytes=2_000,
        ),
        Parser(
            "pointer",
            "nodes.json.pointers.read_pointer, follow",
            lambda: corpus.as_bytes("/a/0", "/a/1/b", "/~0", "/", ""),
            _pointer,
            (ValueError, PenstockError),
            2000,
            words=(b"~0", b"~1", b"~", b"/", b"-"),
            most_bytes=5_000,
        ),
    )

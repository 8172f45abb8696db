import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kit.values import Failed
from chalicelib.nodes.xml.format import Format
from chalicelib.nodes.xml.parse import Parse
from tests.nodes.anything import nested, outcome, ran, values

names = st.sampled_from(["a", "b", "ns:c", "_d", "é", "a-b.c"])
texts = st.text(alphabet="ab<>&\"' \n\t\ré\u2028😀]", max_size=6)
elements = st.recursive(
    texts,
    lambda inner: st.dictionaries(names, inner | st.lists(inner, min_size=2, max_size=3), max_size=3).flatmap(
        lambda children: st.dictionaries(st.sampled_from(["@x", "@y:z"]), texts, max_size=2).map(
            lambda extra: {**extra, **children}
        )
    ),
    max_leaves=8,
)


def failure(answer: Any) -> str:
    assert isinstance(answer, Failed), answer
    assert answer.failure.code == "xml_invalid"
    return answer.failure.message


def tidy(value: Any) -> Any:
    """What trimming leaves, and an empty object, which is an element with nothing in it."""
    match value:
        case str():
            return value.strip()
        case list():
            return [tidy(item) for item in value]
        case dict():
            return {key: item if key.startswith("@") else tidy(item) for key, item in value.items()} or ""
    return value


@settings(deadline=None)
@given(elements, st.integers(0, 3))
def test_what_is_written_is_read_as_the_same(content: Any, indent: int) -> None:
    text = ran(Format, value={"root": content}, indent=indent)
    # Namespace prefixes are names like any other to a parser that knows no namespaces.
    assert ran(Parse, text=text) == {"root": tidy(content)}


def test_another_parser_reads_what_is_written() -> None:
    text = ran(Format, value={"r": {"@a": 'x"<&\n', "t": ["1 < 2 & 3 ]]>", None, True, 1.5]}})
    root = ET.fromstring(text)
    assert root.attrib == {"a": 'x"<&\n'}
    assert [child.text for child in root] == ["1 < 2 & 3 ]]>", None, "true", "1.5"]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        '<!DOCTYPE x [<!ENTITY a "b">]><x/>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1/x.dtd"> %a;]><x/>',
        '<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><x>&c;</x>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x>&unknown;</x>',
        '<!DOCTYPE x PUBLIC "a" "file:///etc/passwd" [<!ENTITY % p SYSTEM "file:///etc/passwd">]><x/>',
    ],
)
def test_entities_are_refused(text: str) -> None:
    assert "entity" in failure(ran(Parse, text=text))


def test_a_document_type_without_entities_is_harmless() -> None:
    assert ran(Parse, text='<!DOCTYPE x SYSTEM "file:///etc/passwd"><x>1</x>') == {"x": "1"}
    assert ran(Parse, text='<!DOCTYPE x [<!ATTLIST x a CDATA "default">]><x/>') == {"x": ""}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1"),
        ("plain", "line 1, column 1"),
        ("<a>\n<b></a>", "line 2"),
        ("<a>&nbsp;</a>", "undefined entity"),
        ("<a/><b/>", "junk"),
        ("<a x='1' x='2'/>", "duplicate attribute"),
        ("<a>\x01</a>", "line 1"),
        ("<a>" * 300 + "</a>" * 300, "deeper than 200"),
    ],
)
def test_what_is_no_xml_fails_with_its_place(text: str, reason: str) -> None:
    assert reason in failure(ran(Parse, text=text))


def test_mixed_content_cdata_comments_and_white_space() -> None:
    text = "\ufeff<?xml version='1.0' encoding='ISO-8859-1'?>\n<a> x <b/> y<!-- c --><![CDATA[<z>]]> </a>"
    assert ran(Parse, text=text) == {"a": {"b": "", "#text": "x  y<z>"}}
    assert ran(Parse, text="<a> x </a>", trim=False) == {"a": " x "}
    assert ran(Parse, text="<a>\n <b> x </b>\n</a>", trim=False) == {"a": {"b": " x "}}


def test_attributes_and_prefixes_can_be_dropped() -> None:
    text = '<s:a xmlns:s="urn:s" xmlns="urn:d" s:x="1" y="2"><s:b/></s:a>'
    assert ran(Parse, text=text, prefixes="drop") == {"a": {"@x": "1", "@y": "2", "b": ""}}
    assert ran(Parse, text=text, attributes="drop") == {"s:a": {"s:b": ""}}
    assert ran(Parse, text=text)["s:a"]["@xmlns:s"] == "urn:s"


def test_a_list_is_a_list_even_of_one_where_forced() -> None:
    text = "<r><i>1</i><g><i/></g></r>"
    assert ran(Parse, text=text, force_list=["i"]) == {"r": {"i": ["1"], "g": {"i": [""]}}}
    assert ran(Parse, text="<r/>", force_list=["r"]) == {"r": [""]}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "0 fields"),
        ({"a": 1, "b": 2}, "2 fields"),
        ({"a": [1, 2]}, "a list"),
        ({"a b": 1}, "no name"),
        ({"1a": 1}, "no name"),
        ({"": 1}, "no name"),
        ({"a><b": 1}, "no name"),
        ({"a:b:c": 1}, "no name"),
        ({"a": {"@": 1}}, "no name"),
        ({"a": {"@x y": 1}}, "no name"),
        ({"a": {"@x": {}}}, "only be text"),
        ({"a": {"#text": []}}, "only be text"),
        ({"a": "\x00"}, "character"),
        ({"a": "\ud800"}, "character"),
        ({"a": {"@x": "\x0b"}}, "character"),
        ({"a": {"b": [[1]]}}, "only be text"),
    ],
)
def test_what_xml_cannot_say_fails_with_its_reason(value: Any, reason: str) -> None:
    assert reason in failure(ran(Format, value=value))


def test_nesting_without_end_fails_by_name() -> None:
    deep: Any = {}
    for _ in range(5_000):
        deep = {"a": deep}
    assert "deeper" in failure(ran(Format, value={"r": deep}))
    assert "deeper" in failure(ran(Format, value={"r": deep}, indent=2))
    assert outcome(Format, {"value": {"r": {"a": nested(5_000)}}}) == "xml_invalid"


@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        (Parse, {"text": st.text(alphabet="<>a/= '\"&;!?[]-x#0", max_size=20)}),
        (Parse, {"text": st.text(max_size=8).map(lambda inside: f"<a>{inside}</a>"), "force_list": values}),
        (Format, {"value": values}),
        (Format, {"value": st.dictionaries(names, values, max_size=2), "indent": st.integers(0, 4)}),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_whatever_comes_in_a_value_or_a_named_failure_comes_out(node: Any, parameters: dict[str, Any]) -> None:
    @settings(max_examples=100, deadline=None)
    @given(st.fixed_dictionaries(parameters))
    def holds(chosen: dict[str, Any]) -> None:
        outcome(node, chosen)

    holds()

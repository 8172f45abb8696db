from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import FlowTextError
from chalicelib.flow.formatting import format_yaml
from chalicelib.flow.text import read_yaml, to_yaml
from chalicelib.flow.values import Json

FILES = sorted((Path(__file__).parent / "files").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_flow_file_keeps_its_data_and_comments_and_is_not_changed_twice(file: Path):
    text = file.read_text()
    formatted = format_yaml(text, file.name)
    assert read_yaml(formatted, file.name).data == read_yaml(text, file.name).data
    assert format_yaml(formatted, file.name) == formatted
    assert [line.split("#", 1)[1] for line in formatted.splitlines() if " # " in line] == [
        line.split("#", 1)[1] for line in text.splitlines() if " # " in line
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: ${ x }", 'a: "${ x }"'),
        ("a: ${ x }   # why", 'a: "${ x }"   # why'),
        ("a: '${ x }'", 'a: "${ x }"'),
        ("a: Hi ${ x }!", 'a: "Hi ${ x }!"'),
        ('a: ${ x = "y" }', "a: '${ x = \"y\" }'"),
        ("a: ${ x & \"it's\" }", "a: |-\n  ${ x & \"it's\" }"),
        ("a: {b: '${ x }'}", 'a: {b: "${ x }"}'),
        ("a: {b: '${ \"''\" & x }'}", "a: {b: \"${ \\\"'\\\" & x }\"}"),
        ('a: "one\\n\\n${ x }"  # two', "a: |-  # two\n  one\n\n  ${ x }"),
        ('- "x"', None),
        ('a:\n  - "one\\n${ x }"', "a:\n  - |-\n    one\n    ${ x }"),
        ('a:\n  - b: "one\\n${ x }"', "a:\n  - b: |-\n      one\n      ${ x }"),
        ('a:\n- - "one\\n${ x }"', "a:\n- - |-\n    one\n    ${ x }"),
        ('a:\n  "one\\n${ x }"', "a:\n  |-\n  one\n  ${ x }"),
        ("a:\n  ${ x\n  & y }", 'a:\n  "${ x & y }"'),
        ('a: "ends \\n${ x }"', 'a: "ends \\n${ x }"'),
        ("a: 'x'\nb: plain\nc: \"y\"", "a: 'x'\nb: plain\nc: \"y\""),
        ("a: $${HOME}", "a: $${HOME}"),
        ("a: >-\n  one\n  ${ x }", "a: >-\n  one\n  ${ x }"),
        ("a: 1\r\nb: ${ x }\r\n", 'a: 1\nb: "${ x }"'),
        ("a: 1\n\n\n", "a: 1"),
        ("# top\n\na: 1   # one\n# end", "# top\n\na: 1   # one\n# end"),
        ("? a\n: \"one\\n${ x }\"", "? a\n: |-\n  one\n  ${ x }"),
    ],
)  # fmt: skip
def test_expressions_are_quoted_and_long_text_goes_into_blocks(before: str, after: str | None):
    if after is None:
        with pytest.raises(FlowTextError):
            format_yaml(before, "x.yaml")
        return
    assert format_yaml(before, "x.yaml") == after + "\n"
    assert format_yaml(after, "x.yaml") == after + "\n"


def test_a_line_longer_than_120_characters_goes_into_a_block_except_in_a_flow_map():
    value = "word " * 21 + "four ${ x }"[1:]
    assert len(f'a: "{value}"') == 120
    assert format_yaml(f"a: {value}\n", "x.yaml") == f'a: "{value}"\n'
    long = f"{value}!"
    assert format_yaml(f"a: {long}\n", "x.yaml") == f"a: |-\n  {long}\n"
    assert format_yaml(f"a: {{b: '{long}'}}\n", "x.yaml") == f'a: {{b: "{long}"}}\n'


def test_a_last_text_that_keeps_its_line_ends_keeps_them():
    text = "a: |+\n  x\n\n\n"
    assert format_yaml(text, "x.yaml") == text


def test_a_file_that_cannot_be_read_is_not_formatted():
    with pytest.raises(FlowTextError) as caught:
        format_yaml("a: {b: ${ x }}\n", "x.yaml")
    assert "unquoted ${ } inside { }" in caught.value.problems[0].what


words = st.sampled_from(
    [
        "a",
        "b c",
        "${ x }",
        '${ y ?? "z" }',
        "${ it = 'q' }",
        "\n",
        "\n\n",
        " ",
        "word " * 30,
        '"',
        "'",
        "\\",
        "#",
        ": ",
        "- ",
        "é",
        "$${n}",
        "\t",
        "{",
        "]",
        "${ open",
    ]
)
values = st.recursive(
    st.lists(words, max_size=5).map("".join),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["k", "key two", "it's", "1"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def in_flow(value: Json) -> str:
    import json

    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {in_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(in_flow, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(st.dictionaries(st.sampled_from(["a", "b", "c d"]), values, min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_any_document_keeps_its_data_and_is_not_changed_twice(data: dict[str, Json]):
    for text in (to_yaml(data), in_flow(data), "".join(f"{key}: {in_flow(value)}\n" for key, value in data.items())):
        formatted = format_yaml(text, "x.yaml")
        assert read_yaml(formatted, "x.yaml").data == data
        assert format_yaml(formatted, "x.yaml") == formatted

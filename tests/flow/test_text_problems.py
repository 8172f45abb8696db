"""Files that cannot be read: each problem with its place, what it is and what to do."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import FlowTextError
from chalicelib.flow.text import Document, read, read_json, read_yaml


def problems(text: str | bytes, name: str = "order.yaml") -> list[str]:
    with pytest.raises(FlowTextError) as caught:
        read(text, name)
    return [str(problem) for problem in caught.value.problems]


# The rows of the reference that are this part's, word for word.
def test_a_comment_that_eats_a_value():
    found = problems("with:\n  channel: #orders\n  text: x\n")
    what = "order.yaml:2:12  The value of `channel` is empty: in YAML, ` #` begins a comment."
    assert found == [f'{what}  ->  Put quotes around it: "#orders".']


def test_an_unquoted_expression_in_a_flow_map():
    found = problems("with: {amount: ${ inputs.total }}\n")
    do = 'Quote it: {amount: "${ inputs.total }"}, or put each key on its own line.'
    assert found == [f"order.yaml:1:16  YAML cannot read this: an unquoted ${{ }} inside {{ }}.  ->  {do}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [${ x }]", '1:5  YAML cannot read this: an unquoted ${ } inside [ ].  ->  Quote it: ["${ x }"], or put each item on a line of its own.'),
        ("a: ${ x ? 1 : 2 }", '1:4  YAML cannot read this: `: ` in a value without quotes.  ->  Put quotes around it: "${ x ? 1 : 2 }".'),
        ('a: ${ {"a": 1} }', "1:4  YAML cannot read this: `: ` in a value without quotes.  ->  Put quotes around it: '${ {\"a\": 1} }'."),
        ("text: Charged: ${ x }", '1:7  YAML cannot read this: `: ` in a value without quotes.  ->  Put quotes around it: "Charged: ${ x }".'),
        ('a: ${ x & " # " }', "1:4  The value of `a` is cut off: in YAML, ` #` begins a comment.  ->  Put quotes around it: '${ x & \" # \" }'."),
        ("cron: */5 * * * *", '1:7  In YAML, `*` begins an alias; flows have none.  ->  Put quotes around it: "*/5 * * * *".'),
        ("w: {cron: */5 * * * *, b: 1}", '1:11  In YAML, `*` begins an alias; flows have none.  ->  Put quotes around it: "*/5 * * * *".'),
        ("cron: * * * * *", '1:7  In YAML, `*` begins an alias.  ->  Put quotes around it: "* * * * *".'),
        ("to: @ann", '1:5  In YAML, a value cannot begin with `@`.  ->  Put quotes around it: "@ann".'),
        ("a: `x`", '1:4  In YAML, a value cannot begin with ```.  ->  Put quotes around it: "`x`".'),
        ("a: %x", '1:4  In YAML, a value cannot begin with `%`.  ->  Put quotes around it: "%x".'),
        ("a: > 5", '1:4  In YAML, `>` begins a block.  ->  Put quotes around it: "> 5".'),
        ("a: &x y", '1:4  In YAML, `&` begins an anchor (`&x`); flows have none.  ->  Take it out; if it is text, put quotes around it: "&x y".'),
        ("a: !x y", '1:4  In YAML, `!` begins a tag; flows have none.  ->  Take it out; if it is text, put quotes around it: "!x y".'),
        ("<<: {a: 1}", "1:1  `<<` merges maps in YAML; flows have no merging.  ->  Write the keys out."),
        ("a: 1\na: 2", "2:1  The key `a` stands here a second time.  ->  Keep one; the first is on line 1."),
        ("1: x", '1:1  The key `1` is a number, not text.  ->  Put quotes around it: "1".'),
        ("true: x", '1:1  The key `true` is true or false, not text.  ->  Put quotes around it: "true".'),
        ("null: x", '1:1  The key `null` is null, not text.  ->  Put quotes around it: "null".'),
        ("? [a]\n: 1", "1:3  A key is a name, not a list or a map.  ->  Write `name: value`; for text use quotes."),
        ('"${ x }": 1', "1:1  A key is never an expression.  ->  Write the name out, or make the whole object in one expression: ${ {'name': value} }."),
        ("a: 1\n---\nb: 2", "2:1  A second document begins here.  ->  One file holds one flow: take the `---` out, or split the file."),
        ("%YAML 1.1\n---\na: 1", "1:1  A line that begins with `%` instructs YAML.  ->  Take the line out."),
        ("a:", '1:1  The value of `a` is empty.  ->  Write a value; "" is an empty text, [] an empty list, null nothing.'),
        ("a: # nothing yet", '1:1  The value of `a` is empty.  ->  Write a value; "" is an empty text, [] an empty list, null nothing.'),
        ("a:\n  - x\n  -", "3:3  This item of the list is empty.  ->  Write a value, or take it out."),
        ("a:\n\tb: 1\n\tc: 1", "2:1  YAML does not take tabs for indentation.  ->  Indent with spaces, two for each level."),
        ("- a", "1:1  A flow file is a map of keys and values.  ->  Begin with `flow: <name>`."),
        ("", "1:1  The file is empty.  ->  Begin with `flow: <name>`."),
        ("a: 'x", "1:4  A text in quotes begins here and never ends.  ->  Close it with '."),
        ("a: {b: 1", "1:4  The `{` here is never closed.  ->  Close it with `}`."),
        ("a: 'x' y", "1:8  Something stands behind the closing quote.  ->  Put the whole value between quotes."),
        ("a: 1\n  b: 2", "2:3  A key stands here, indented under a value.  ->  Indent it like the key before it, or take that key's value away."),
        ("a: - b", "1:4  A list with `-` begins on a line of its own.  ->  Put each item on its own line, or write [a, b]."),
        ('a: "\\q"', "1:5  `\\q` is no escape of YAML's double quotes.  ->  Write `\\\\q` for a backslash, or single quotes around the text."),
        ("a: x\x00y", "1:5  A NUL character stands here.  ->  Take it out."),
        ("\ufeffa: 1", "1:1  The file begins with a byte order mark.  ->  Save it as UTF-8 without BOM."),
        ("a: x\ud800", "1:5  Half a character (the lone surrogate U+D800) stands here.  ->  Write the whole character."),
        ('a: "\\ud800"', "1:4  The text holds half a character (a lone surrogate).  ->  Write the whole character."),
        ("a: x\u2028y", '1:5  An invisible line separator (U+2028) stands here.  ->  Take it out; if it is meant, write "\\u2028".'),
        ("a: 1e999", "1:4  This number is too large.  ->  Put quotes around it."),
        ("a: " + "9" * 5000, "1:4  A number of more than 4,300 digits.  ->  Put quotes around it."),
        ("a: " + "[" * 150, "1:103  This is nested more than 100 deep.  ->  Keep data out of the flow."),
    ],
)  # fmt: skip
def test_a_problem_says_where_what_and_what_to_do(text: str, expected: str):
    assert problems(text + "\n")[0] == f"order.yaml:{expected}"


def test_bytes_that_are_not_utf_8_are_named_with_their_place():
    assert problems(b"a: 1\nb: \xe4\n") == ["order.yaml:2:4  The byte 0xe4 is not UTF-8.  ->  Save the file as UTF-8."]
    assert problems("a: 1".encode("utf-16")) == [
        "order.yaml:1:1  The file is UTF-16, not UTF-8.  ->  Save it as UTF-8."
    ]


def test_a_file_over_the_limit_is_refused_before_it_is_read():
    for name in ("order.yaml", "order.json"):
        assert "larger than 1,000,000 bytes" in problems("ä" * 500_001, name)[0]


def test_everything_is_said_at_once():
    text = (
        "a: {x: ${ i.a }, y: ${ i.b }}\n"
        "cron: */5 * * * *\n"
        "to: @ann\n"
        "a: 2\n"
        "text: Charged: ${ x }\n"
        "channel: #orders\n"
        "e: &anchor 1\n"
        "f: *anchor\n"
        "g: !tag x\n"
        "h:\n"
    )
    assert [problem.split("  ")[0] for problem in problems(text)] == [
        "order.yaml:1:8", "order.yaml:1:21", "order.yaml:2:7", "order.yaml:3:5", "order.yaml:4:1", "order.yaml:5:7",
        "order.yaml:6:10", "order.yaml:7:4", "order.yaml:8:4", "order.yaml:9:4", "order.yaml:10:1",
    ]  # fmt: skip


def test_the_error_carries_its_problems_and_counts_them():
    with pytest.raises(FlowTextError, match=r"order\.yaml cannot be read: 2 problems\.") as caught:
        read_yaml("a:\nb:\n", "order.yaml")
    assert caught.value.code == "flow_text"
    assert [(p.where, p.line, p.column) for p in caught.value.problems] == [("order.yaml", 1, 1), ("order.yaml", 2, 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "a": 2}', "1:10  The key `a` stands here a second time.  ->  The first is on line 1."),
        ('{"a": NaN}', "1:7  `NaN` is not a number of JSON.  ->  Write null, or a text in quotes."),
        ('{"a": -Infinity}', "1:7  `-Infinity` is not a number of JSON.  ->  Write null, or a text in quotes."),
        ('{"a": 1e999}', "1:7  This number is too large.  ->  Write it as text, in quotes."),
        ('{"a": [1,]}', "1:9  A comma stands before the closing `]`.  ->  Take it out."),
        ('{"a": 1 /* x */}', "1:9  JSON has no comments.  ->  Take it out, or write the flow as YAML."),
        ("{a: 1}", '1:2  A key in double quotes is missing here.  ->  Write "key": value.'),
        ('{"a": yes}', "1:7  `yes` is no value of JSON.  ->  Put double quotes around a text."),
        ('{"a": 010}', "1:7  `010` is no value of JSON.  ->  Put double quotes around a text."),
        ('{"a" 1}', '1:6  After the key `a` a `:` is missing.  ->  Write "key": value.'),
        ('{"a": 1 "b": 2}', "1:9  A `,` or `}` is missing here.  ->  Compare it with what stands before it."),
        ('{"a": "x\n"}', "1:7  A text begins here and does not end on its line.  ->  Close it with `\"`; a line end is \\n."),
        ('{"a": "x\ty"}', "1:9  A tab or another control character stands in a text.  ->  Write a tab as \\t."),
        ('{"a": "\\ud800"}', "1:7  The text holds half a character (the lone surrogate \\ud800), at 0.  ->  Write the whole character."),
        ('{"a": 1} x', "1:10  Something stands behind the end of the document.  ->  Take it out."),
        ("[1]", '1:1  A flow is an object.  ->  Begin with {"flow": "<name>"}.'),
        ("", '1:1  The file is empty.  ->  Begin with {"flow": "<name>"}.'),
        ('{"a": ' + "[" * 200, "1:106  This is nested more than 100 deep.  ->  Keep data out of the flow."),
        ('{"a": ' + "9" * 5000 + "}", "1:7  A number of more than 4,300 digits.  ->  Write it as text."),
        ('{"a":', "1:6  The file ends too early.  ->  Write what is missing at its end."),
    ],
)  # fmt: skip
def test_a_problem_of_json_says_where_what_and_what_to_do(text: str, expected: str):
    assert problems(text, "order.json")[0] == f"order.json:{expected}"


def test_depth_100_is_read_and_101_is_not_in_both_formats():
    for nested, fits in (("[" * 99 + "]" * 99, True), ("[" * 100 + "]" * 100, False)):
        for text, name in ((f"a: {nested}\n", "x.yaml"), (f'{{"a": {nested}}}', "x.json")):
            if fits:
                assert "a" in read(text, name).data
            else:
                assert "more than 100 deep" in problems(text, name)[0]


def answer(reader: Callable[[str | bytes, str], Document], text: str | bytes) -> Document | FlowTextError:
    try:
        return reader(text, "x")
    except FlowTextError as error:
        return error


pieces = st.lists(
    st.sampled_from(["a", "b", ":", ": ", "\n", "  ", "- ", "{", "}", "[", "]", ",", '"', "'", "#", " #", "&x", "*x", "!t", "|", ">", "|-", "${ x }", "${", "}", "\t", "\\", "\\u", "\\U0011ffff", "\\x", "?", "? ", "@", "%", "---", "...", "\n---\n", "1", "<<", "\r\n", "\u2028", "\x00", "\ufeff", "😀", "``", "%YAML 1.1\n", "%TAG ! x\n", "!!", "!<", "*", "&", "null", "=", "~"]),
    max_size=30,
)  # fmt: skip


@given(st.one_of(pieces.map("".join), st.text(max_size=60), st.binary(max_size=60)))
@settings(max_examples=1500, deadline=None)
def test_no_input_brings_a_reader_down(text: str | bytes):
    for reader in (read_yaml, read_json):
        outcome = answer(reader, text)
        if isinstance(outcome, Document):
            assert isinstance(outcome.data, dict)
            continue
        assert outcome.problems
        assert all(p.what and p.do and p.line >= 1 and p.column >= 1 for p in outcome.problems)


def test_a_large_file_full_of_mistakes_is_still_answered():
    found = problems("".join(f"k{n}: @x\n" for n in range(2_000)))
    assert found[0] == 'order.yaml:1:5  In YAML, a value cannot begin with `@`.  ->  Put quotes around it: "@x".'
    assert len(found) == 20
    assert len(problems("".join("a: 1\n" for _ in range(3_000)))) == 50

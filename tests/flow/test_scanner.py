import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.flow.scanner import Hole, NotClosed, has_hole, scan


def holes(text: str) -> list[str]:
    return [piece.text for piece in scan(text) if isinstance(piece, Hole)]


def scanned(text: str) -> tuple[str | Hole, ...] | int:
    try:
        return scan(text)
    except NotClosed as error:
        return error.offset


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("${ x }", (Hole(" x ", 2),)),
        ("a ${x} b", ("a ", Hole("x", 4), " b")),
        ("${a}${b}", (Hole("a", 2), Hole("b", 6))),
        ("$${HOME}", ("${HOME}",)),
        ("a $${x} b ${y}", ("a ${x} b ", Hole("y", 12))),
        ("${a}$${b}", (Hole("a", 2), "${b}")),
        ("$5 {x}", ("$5 {x}",)),
        ("${}", (Hole("", 2),)),
        ("${ $x }$", (Hole(" $x ", 2), "$")),
    ],
)
def test_a_text_is_cut_into_literals_and_holes(text: str, pieces: tuple[str | Hole, ...]):
    assert scan(text) == pieces


@pytest.mark.parametrize(
    "inner",
    ["""'}'""", '''"}"''', r'''"\"}"''', r"""'\\}'""", "/* } */ x", "$match(x, /}/)", "$match(x, /[}]\\/}/)", '{"a": {"b": 1}}', "rows{a: b}", "`}`", "x / 2 /* } */ / y", "(a) / 2"],
)  # fmt: skip
def test_a_brace_inside_strings_comments_regular_expressions_and_braces_does_not_end_an_expression(inner: str):
    assert holes(f"a ${{ {inner} }} }} b") == [f" {inner} "]


@pytest.mark.parametrize("inner", ["$f(a", "rows[0", "(a"])
def test_a_missing_bracket_swallows_nothing_after_the_expression(inner: str):
    assert holes(f"${{ {inner} }} and ${{ b }}") == [f" {inner} ", " b "]


@pytest.mark.parametrize(
    ("text", "offset"), [("${ x", 0), ('ab ${ x & "', 3), ("${a} ${ {b }", 5), ("${ it's }", 0), ("${ /* }", 0)]
)
def test_what_is_not_closed_says_where_it_was_opened(text: str, offset: int):
    with pytest.raises(NotClosed) as caught:
        scan(text)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("${", True),
        ("$${x}", False),
        ("$${x} ${y}", True),
        ("$ {x}", False),
        ("a${b}", True),
        ("${a}$${b}", True),
    ],
)
def test_has_hole_tells_expressions_from_literals(text: str, expected: bool):
    assert has_hole(text) is expected


@given(st.text(alphabet="${}'\"/*a \\`[]()", max_size=40))
@settings(max_examples=500, deadline=None)
def test_pieces_and_holes_add_up_to_the_text(text: str):
    pieces = scanned(text)
    if isinstance(pieces, int):
        assert text.startswith("${", pieces)
        assert has_hole(text)
        return
    again = "".join(f"${{{p.text}}}" if isinstance(p, Hole) else p.replace("${", "$${") for p in pieces)
    assert again == text
    assert has_hole(text) is any(isinstance(p, Hole) for p in pieces)
    for piece in pieces:
        if isinstance(piece, Hole):
            assert text[piece.offset - 2 : piece.offset + len(piece.text) + 1] == f"${{{piece.text}}}"


def test_a_long_text_with_strings_that_never_end_is_read_in_one_pass():
    with pytest.raises(NotClosed):
        scan("${ " + "x + " * 50_000 + '"' + "\\" * 100_001)

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import ParameterError
from chalicelib.flow.patterns import LONGEST_PATTERN, LONGEST_TEXT, Pattern
from chalicelib.kit.values import Failed
from chalicelib.nodes.text.case import Case
from chalicelib.nodes.text.decode import Decode
from chalicelib.nodes.text.encode import Encode
from chalicelib.nodes.text.extract import Extract
from chalicelib.nodes.text.join import Join
from chalicelib.nodes.text.lines import Lines
from chalicelib.nodes.text.match import Match
from chalicelib.nodes.text.pad import Pad
from chalicelib.nodes.text.replace import LONGEST_RESULT, Replace
from chalicelib.nodes.text.slug import Slug
from chalicelib.nodes.text.split import Split
from chalicelib.nodes.text.trim import Trim
from chalicelib.nodes.text.truncate import Truncate
from tests.nodes.anything import outcome, ran, values

unicode_text = st.text(max_size=30)


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "a*a*a*a*a*b", ".*.*.*x", "(.*a){12}b", r"(\w+\s?)+:"]
)
def test_patterns_that_hang_engines_that_backtrack_are_answered(pattern: str) -> None:
    assert not Pattern(pattern).occurs_in("a" * 20_000)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "empty"),
        ("*a", "nothing before it"),
        ("a\\", "lone backslash"),
        ("a" * (LONGEST_PATTERN + 1), "characters"),
        ("(?=a)b", "looks around"),
        ("(?<!a)b", "looks around"),
        (r"(a)\1", "refers back"),
        ("(a", "unclosed group"),
        ("[a", "unclosed character class"),
        ("(\\w{100}){100}", "too large"),
        ("a*", "matches the empty text"),
        ("\ud800", "surrogate"),
    ],
)
def test_a_pattern_that_is_not_taken_is_refused_with_its_reason(pattern: str, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        Pattern(pattern).find("bab")


def test_a_text_over_the_limit_is_refused() -> None:
    assert Pattern("b$").occurs_in("a" * (LONGEST_TEXT - 1) + "b")
    with pytest.raises(ParameterError, match="at most"):
        Pattern("b$").occurs_in("a" * LONGEST_TEXT + "b")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("/", "a/b", [(1, "/")]),
        (r"\/", "a/b", [(1, "/")]),
        ("[/]+", "a//b", [(1, "//")]),
        (r"\\/", "a\\/b", [(1, "\\/")]),
        ("/i) & $string(1", "x", None),
        ("\"'`", "a\"'`", [(1, "\"'`")]),
        ("é+", "aéé", [(1, "éé")]),
        ("b", "😀a😀b", [(3, "b")]),
        ("😀", "a😀b😀", [(1, "😀"), (3, "😀")]),
        (r"\d+", "a1b22", [(1, "1"), (3, "22")]),
        ("^b", "a\nb", []),
    ],
)
def test_matches_are_where_the_characters_are(pattern: str, text: str, found: list[tuple[int, str]] | None) -> None:
    if found is None:
        with pytest.raises(ParameterError):
            Pattern(pattern).find(text)
        return
    matches = Pattern(pattern).find(text)
    assert [(match.start, match.text) for match in matches] == found
    assert all(text[match.start : match.end] == match.text for match in matches)


def test_what_is_left_to_bound_is_the_product_of_both_sizes() -> None:
    uuid = Pattern("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", ignore_case=True)
    assert uuid.occurs_in("x" * (LONGEST_TEXT - 36) + "123E4567-e89b-12d3-a456-426614174000")
    for wide in (r"(?:.?){1000}", r"((a{0,10}b){10,}){20}", "(a{30}){30}"):
        Pattern(wide + "x").occurs_in("a" * 1_000)
        with pytest.raises(ParameterError, match="too large for a text"):
            Pattern(wide + "x").occurs_in("a" * LONGEST_TEXT)


def test_flags_do_what_they_say() -> None:
    assert Pattern("^B", ignore_case=True, multiline=True).find("a\nb")[0].start == 2
    assert Pattern("a.b", dot_all=True).occurs_in("a\nb")
    assert not Pattern("a.b").occurs_in("a\nb")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"(a)(?:b)(?<c>d)(?P<e>f)\((g)", (None, "c", "e", None)),
        (r"[(](x)[^])](y)[]()]", (None, None)),
        ("(?i)(a)", (None,)),
        ("[[:alpha:](]+(a)", (None,)),
        ("[a[b(](c)](d)[^]()](e)", (None, None)),
        (r"\p{L}(?-i:(b)){2,3}\[(c)", (None, None)),
    ],
)
def test_groups_are_counted_and_named(pattern: str, names: tuple[str | None, ...]) -> None:
    assert Pattern(pattern).names == names


def test_groups_in_comments_are_refused_and_no_crash() -> None:
    with pytest.raises(ParameterError, match="cannot be told apart"):
        ran(Match, text="ab", pattern="(?x) a # ( a comment )\n b")


def test_match_gives_groups_by_number_and_name_and_null_for_those_that_took_no_part() -> None:
    answer = ran(Match, text="b1 a", pattern="(?<letter>[ab])([0-9])?", limit=5)
    assert [match["groups"] for match in answer["matches"]] == [["b", "1"], ["a", None]]
    assert answer["matches"][1] == {"text": "a", "start": 3, "end": 4, "groups": ["a", None], "named": {"letter": "a"}}
    assert len(ran(Match, text="aaa", pattern="a", limit=2)["matches"]) == 2


def test_extract_takes_groups_by_number_and_name_and_refuses_those_that_are_not_there() -> None:
    assert ran(Extract, text="k=v", pattern="(?<key>.)=(.)", group="key") == "k"
    assert ran(Extract, text="k=v", pattern="(?<key>.)=(.)", group=2, which="all") == ["v"]
    for group in (3, -1, "other"):
        with pytest.raises(ParameterError, match="group"):
            ran(Extract, text="k=v", pattern="(?<key>.)=(.)", group=group)


def test_replacing_by_pattern_knows_groups_and_dollars() -> None:
    assert ran(Replace, text="ab", pattern="(?<x>a)(c)?", replacement="[$1$2$<x>$&$$1]") == "[aaa$1]b"
    assert ran(Replace, text="aAa", pattern="a", replacement="x", flags=["ignore_case"]) == "xxx"
    assert ran(Replace, text="aaa", pattern="a", replacement="x", first_only=True) == "xaa"
    with pytest.raises(ParameterError, match="group 2"):
        ran(Replace, text="a", pattern="(a)", replacement="$2")
    with pytest.raises(ParameterError, match="called `y`"):
        ran(Replace, text="a", pattern="(a)", replacement="$<y>")


def test_replacing_plain_text_takes_nothing_as_a_pattern() -> None:
    assert ran(Replace, text="a.b.c", find=".", replacement="$&") == "a$&b$&c"
    assert ran(Replace, text="A.b a.B", find="a.b", replacement="x", flags=["ignore_case"]) == "x x"
    assert ran(Replace, text="A.b a.B", find="a.b", replacement="x", flags=["ignore_case"], first_only=True) == "x a.B"
    for wrong in ({}, {"find": "a", "pattern": "b"}, {"find": ""}):
        with pytest.raises(ParameterError):
            ran(Replace, text="a", **wrong)


@pytest.mark.parametrize("how", [{"find": "a"}, {"pattern": "a"}, {"find": "A", "flags": ["ignore_case"]}])
def test_a_replacement_that_grows_beyond_measure_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="more than"):
        ran(Replace, text="a" * 10_000, replacement="x" * (LONGEST_RESULT // 9_000), **how)


@pytest.mark.parametrize("how", [{"find": "a"}, {"pattern": "a"}, {"find": "A", "flags": ["ignore_case"]}])
def test_only_what_is_replaced_counts_towards_the_limit(how: dict[str, Any]) -> None:
    long = "x" * (LONGEST_RESULT // 2)
    assert ran(Replace, text="aaa", replacement=long, first_only=True, **how) == long + "aa"
    assert ran(Replace, text="bbb", replacement=long * 3, first_only=True, **how) == "bbb"
    with pytest.raises(ParameterError, match="more than"):
        ran(Replace, text="a", replacement=long * 3, first_only=True, **how)


@given(st.text(alphabet="ab,", max_size=20), st.integers(1, 5))
def test_split_at_a_separator_and_at_a_pattern_agree_and_join_undoes_them(text: str, limit: int) -> None:
    assert ran(Split, text=text, pattern=",") == text.split(",") == ran(Split, text=text)
    assert ran(Split, text=text, pattern=",", limit=limit) == text.split(",", limit - 1)
    assert ran(Join, items=ran(Split, text=text), separator=",") == text


def test_split_takes_a_separator_or_a_pattern() -> None:
    with pytest.raises(ParameterError, match="either"):
        ran(Split, text="a", separator=",", pattern=";")


def test_joining_writes_values_as_text_and_refuses_files() -> None:
    assert ran(Join, items=[1.0, 2**60, None, {"a": [1]}, "x"], separator="|") == '1.0|1152921504606846976||{"a":[1]}|x'
    file = {"file": "f", "name": "n", "type": "t", "size": 1}
    assert outcome(Join, {"items": [file]}) == "refused"


@pytest.mark.parametrize(("text", "lines"), [("", []), ("\n", [""]), ("a", ["a"]), ("a\r\n\rb\n", ["a", "", "b"])])
def test_lines_end_in_any_of_three_ways(text: str, lines: list[str]) -> None:
    assert ran(Lines, text=text) == lines


def test_lines_do_not_end_at_other_separators() -> None:
    assert ran(Lines, text="a\u2028b\x0cc\x85d") == ["a\u2028b\x0cc\x85d"]


@pytest.mark.parametrize(
    ("text", "to", "changed"),
    [
        ("HTTPStatusCode", "snake", "http_status_code"),
        ("getURL2Go", "kebab", "get-url2-go"),
        ("über-Straße", "pascal", "ÜberStraße"),
        ("ÄrgerÖl", "snake", "ärger_öl"),
        ("", "camel", ""),
        ("--", "camel", ""),
        ("already snake_case", "camel", "alreadySnakeCase"),
        ("hello WORLD", "sentence", "Hello world"),
        ("a  b\tc", "title", "A  B\tC"),
    ],
)
def test_case(text: str, to: str, changed: str) -> None:
    assert ran(Case, text=text, to=to) == changed


def test_trimming_inside_keeps_what_a_side_keeps() -> None:
    assert ran(Trim, text="  a  b  ", side="start", inside=True) == "a b "
    assert ran(Trim, text="  a  b  ", side="end", inside=True) == " a b"
    assert ran(Trim, text="   ", inside=True) == ""


@given(unicode_text, st.integers(0, 40), st.text(min_size=1, max_size=3), st.sampled_from(["start", "end", "both"]))
def test_padding_reaches_the_length_and_keeps_the_text(text: str, length: int, filler: str, side: str) -> None:
    padded = ran(Pad, text=text, length=length, filler=filler, side=side)
    assert len(padded) == max(length, len(text))
    assert text in padded


@given(unicode_text, st.integers(1, 40), st.booleans())
def test_truncated_text_is_never_longer(text: str, length: int, whole_words: bool) -> None:
    cut = ran(Truncate, text=text, length=length, whole_words=whole_words)
    assert len(cut) <= length
    assert cut == text or cut.endswith("…")


def test_truncating_between_words() -> None:
    assert ran(Truncate, text="one two three", length=8, whole_words=True) == "one two…"
    assert ran(Truncate, text="one two three", length=7, whole_words=True) == "one…"
    assert ran(Truncate, text="extraordinary", length=5, whole_words=True) == "extr…"
    with pytest.raises(ParameterError, match="longer than"):
        ran(Truncate, text="abc", length=2, ending="...")


@given(st.text(max_size=40), st.integers(1, 20), st.sampled_from(["-", "_", ""]))
def test_slugs_are_bounded_and_hold_no_odd_signs(text: str, length: int, separator: str) -> None:
    made = ran(Slug, text=text, length=length, separator=separator)
    assert len(made) <= length
    assert not separator or not made.startswith(separator)
    assert all(letter.isalnum() or letter == separator or letter not in " /?#&%" for letter in made)


@given(unicode_text, st.sampled_from(["base64", "base64url", "hex", "url", "html"]))
def test_what_is_encoded_decodes_to_itself(text: str, how: str) -> None:
    assert ran(Decode, text=ran(Encode, text=text, to=how), **{"from": how}) == text


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("R3L?", "base64"),
        ("a", "base64"),
        ("/w==", "base64"),
        ("a+b/", "base64url"),
        ("zz", "hex"),
        ("abc", "hex"),
        ("ff", "hex"),
        ("100%", "url"),
        ("%zz", "url"),
        ("%ff", "url"),
    ],
)
def test_what_does_not_decode_fails_by_name_without_showing_it(text: str, how: str) -> None:
    answer = ran(Decode, text=text, **{"from": how})
    assert isinstance(answer, Failed)
    assert answer.failure.code == "text_invalid"
    assert len(text) == 1 or text not in answer.failure.message


def test_decoding_html_with_numbers_beyond_all_characters() -> None:
    assert ran(Decode, text="&#x" + "f" * 9000 + ";&#" + "9" * 9000 + ";", **{"from": "html"}).startswith("\ufffd")


@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        (Split, {"text": values, "pattern": values, "flags": values}),
        (Split, {"text": unicode_text, "pattern": st.text(max_size=8)}),
        (Match, {"text": unicode_text, "pattern": st.text(alphabet="ab*+?()[]{}|\\/.^$<>:1", max_size=8)}),
        (
            Replace,
            {
                "text": unicode_text,
                "pattern": st.text(max_size=4),
                "replacement": st.text(alphabet="$&1<a>", max_size=6),
            },
        ),
        (Join, {"items": values, "separator": values}),
        (Case, {"text": unicode_text, "to": st.sampled_from(["upper", "title", "camel", "snake"])}),
        (
            Decode,
            {
                "text": st.text(alphabet="aA=%+/-_&#;x0", max_size=12),
                "from": st.sampled_from(["base64", "base64url", "hex", "url", "form", "html"]),
            },
        ),
        (Slug, {"text": values}),
        (Encode, {"text": values, "to": st.sampled_from(["base64", "hex", "url", "html"])}),
        (Extract, {"text": values, "pattern": st.sampled_from(["a", "(?<x>.)", "\ud800"]), "group": values}),
        (Lines, {"text": values}),
        (Trim, {"text": values, "characters": values, "inside": st.booleans()}),
        (Truncate, {"text": values, "length": st.integers(-1, 3), "ending": values, "whole_words": st.booleans()}),
        (Pad, {"text": values, "length": values}),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_whatever_comes_in_a_value_or_a_named_failure_comes_out(node: Any, parameters: dict[str, Any]) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.fixed_dictionaries(parameters))
    def holds(chosen: dict[str, Any]) -> None:
        outcome(node, chosen)

    holds()

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from chalicelib.kit.values import Failed
from chalicelib.nodes.yaml.building import DEEPEST, LONGEST_TEXT, MOST_VALUES
from chalicelib.nodes.yaml.format import Format
from chalicelib.nodes.yaml.parse import Parse
from tests.nodes.anything import nested, outcome, ran, values

tricky = st.sampled_from(
    [
        *(
            "",
            " ",
            "~",
            "null",
            "Null",
            "yes",
            "no",
            "y",
            "on",
            "Off",
            "true",
            "TRUE",
            "010",
            "0x1f",
            "0o7",
            "1e3",
            "1_000",
            "-",
            "- a",
        ),
        *(
            "1.5",
            ".5",
            "+49",
            ".inf",
            ".nan",
            "2026-11-20",
            "12:30:45",
            "a: b",
            "a #b",
            "#a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
        ),
        *(
            "`a",
            "[a]",
            "{a}",
            "a,b",
            "'a'",
            '"a"',
            "<<",
            "=",
            "?",
            "? a",
            ":",
            "a:",
            "---",
            "...",
            "a\nb",
            "a\n",
            "\na",
            "a\n\n",
            " a\nb",
        ),
        *(
            "a\n b\n",
            "a\n\nb",
            "a \nb",
            "\ta",
            "a\tb\nc",
            "\x7f",
            "\x85",
            "\u2028",
            "\ufeff",
            "\ufffe",
            "😀",
            "e5",
            "_1",
            "a\r\nb",
            "a\n \nb",
        ),
    ]
)
data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | tricky,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tricky | st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def failure(answer: Any) -> str:
    assert isinstance(answer, Failed), answer
    assert answer.failure.code == "yaml_invalid"
    return answer.failure.message


@settings(max_examples=300, deadline=None)
@given(data, st.integers(2, 4))
def test_what_is_written_is_read_as_the_same_by_us_and_by_readers_of_both_versions(value: Any, indent: int) -> None:
    text = ran(Format, value=value, indent=indent)
    assert ran(Parse, text=text) == value
    assert YAML(typ="safe", pure=True).load(text) == value
    assert yaml.safe_load(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-0.5e3", -500.0),
        (str(2**80), 2**80),
        ("010", "010"),
        ("+49", "+49"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("1.", "1."),
        ("2026-11-20", "2026-11-20"),
        ("12:30", "12:30"),
        ("no", "no"),
        ("True", "True"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ('"true"', "true"),
        ("1: 2", {"1": 2}),
        ("null: 1", {"null": 1}),
        ("a: [1, {b: c}]", {"a": [1, {"b": "c"}]}),
        ("a: >-\n  b\n  c\n", {"a": "b c"}),
        ("\ufeffa: 1", {"a": 1}),
        ("# nothing", None),
        ('"\\ud83d\\ude00"', "😀"),
    ],
)
def test_only_json_numbers_true_false_and_null_are_not_text(text: str, value: Any) -> None:
    read = ran(Parse, text=text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!!python/object/apply:os.system [ls]", "tag"),
        ("!!str a", "tag"),
        ("a: !x b", "tag"),
        ("! a", "tag"),
        ("a: 1\na: 2", "occurs twice at line 2, column 1"),
        ("? [a]\n: b", "key is not text"),
        ("? {a: b}\n: c", "key is not text"),
        ("a: *b", "anchor"),
        ("&a [*a]", "anchor"),
        ("a: [1", "not well-formed at line 1"),
        ("a: b: c", "not well-formed"),
        ("a: 1\n--- \n*x", "anchor"),
        ("&x a\n--- \n*x", "anchor"),
        ("<<: 1", "merge key"),
        ("<<: [1]", "merge key"),
        ("1e999", "too large"),
        ("a\x00b", "character"),
        ("a\x07", "character"),
        ('"\\ud800"', "lone surrogate"),
        ('"\\ud800": 1', "lone surrogate"),
        ('"\\UFFFFFFFF"', "not well-formed"),
        ("%YAML 3.0\n---\na", "not well-formed"),
        ("[" * 5_000, "deeper"),
        ("- " * 5_000, "deeper"),
        ("? " * 5_000, "deeper"),
        ("a" * (LONGEST_TEXT + 1), "characters"),
        ("a\n---\nb", "several documents"),
    ],
)
def test_what_is_not_taken_fails_with_its_reason(text: str, reason: str) -> None:
    assert reason in failure(ran(Parse, text=text))


def test_a_bomb_of_aliases_is_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert f"more than {MOST_VALUES}" in failure(ran(Parse, text="\n".join(lines)))


def test_a_bomb_of_merges_is_stopped() -> None:
    lines = ["a0: &a0 {k: {" + ", ".join(f"k{n}: 1" for n in range(50)) + "}}"]
    lines += [f"a{n}: &a{n} {{<<: *a{n - 1}, x: *a{n - 1}, y: *a{n - 1}}}" for n in range(1, 40)]
    assert "every alias written out" in failure(ran(Parse, text="\n".join(lines)))


def test_aliases_cannot_nest_beyond_the_limit() -> None:
    lines = ["- &a0 [x]", *(f"- &a{n} [*a{n - 1}]" for n in range(1, DEEPEST + 5))]
    assert "deeper" in failure(ran(Parse, text="\n".join(lines)))


def test_merge_keys_let_what_is_written_out_win_and_the_first_of_several() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n"
    assert ran(Parse, text=text)["c"] == {"x": 1, "y": 1, "z": 3}
    assert ran(Parse, text='"<<": 1\nb: 2') == {"<<": 1, "b": 2}


def test_all_documents_are_a_list() -> None:
    assert ran(Parse, text="", documents="all") == []
    assert ran(Parse, text="--- 1\n--- 2\n...\n", documents="all") == [1, 2]


def test_what_cannot_be_written_fails_by_name() -> None:
    assert "deeper" in failure(ran(Format, value=nested(5_000)))
    assert ran(Parse, text=ran(Format, value=nested(DEEPEST))) == nested(DEEPEST)
    assert "surrogate" in failure(ran(Format, value=["\ud800"]))
    assert "surrogate" in failure(ran(Format, value={"a\ud800": 1}))
    assert "number" in failure(ran(Format, value=float("inf")))


@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        (Parse, {"text": st.text(alphabet="ab-:?!&*#{}[],'\"|>%@`\n \t<01.~\\x", max_size=20)}),
        (
            Parse,
            {
                "text": st.lists(
                    st.sampled_from(
                        [
                            "- ",
                            "a: ",
                            "&x ",
                            "*x",
                            "\n",
                            "  ",
                            "[",
                            "]",
                            "{",
                            "}",
                            ", ",
                            "<<: ",
                            "? ",
                            "|\n",
                            "---\n",
                            "'",
                            '"',
                            "!t ",
                        ]
                    ),
                    max_size=14,
                ).map("".join),
                "documents": st.sampled_from(["one", "all"]),
            },
        ),
        (Parse, {"text": st.text(max_size=10)}),
        (Format, {"value": values, "indent": st.integers(1, 9)}),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_whatever_comes_in_a_value_or_a_named_failure_comes_out(node: Any, parameters: dict[str, Any]) -> None:
    @settings(max_examples=200, deadline=None)
    @given(st.fixed_dictionaries(parameters))
    def holds(chosen: dict[str, Any]) -> None:
        outcome(node, chosen)

    holds()

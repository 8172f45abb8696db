"""Reading answers."""

import pytest

from chalicelib.errors import StepFailedError
from chalicelib.kit.answers import as_list, as_object, at, file_name, form_of, json_of, read_json
from chalicelib.kit.values import Response


def test_whole_numbers_are_exact_and_nothing_is_null() -> None:
    assert json_of(Response(200, b'{"id": 12345678901234567890123}')) == {"id": 12345678901234567890123}
    assert json_of(Response(204, b" \n")) is None
    assert json_of(Response(200, b"\xef\xbb\xbf[1]")) == [1]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b"\xff",
        b"[" * 100_000,
        b"<html>",
        b"1" * 5000,
        b'"\\ud800"',
        b'{"\\uDFFF": 1}',
    ],
)
def test_what_is_no_json_fails_the_step_and_is_no_bug(content: bytes) -> None:
    with pytest.raises(StepFailedError, match="not JSON"):
        json_of(Response(200, content))


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("application/json; charset=utf-8", "json"),
        ("Application/Problem+JSON", "json"),
        ("text/csv", "text"),
        ("image/svg+xml", "text"),
        ("application/xml", "text"),
        ("image/png", "file"),
        ("application/octet-stream", "file"),
        ("", "file"),
    ],
)
def test_auto_goes_by_the_content_type(kind: str, form: str) -> None:
    assert form_of(Response(200, b"x", {"content-type": kind})) == form


@pytest.mark.parametrize(
    ("disposition", "url", "name"),
    [
        ('attachment; filename="a b.pdf"', "https://x.example/y", "a b.pdf"),
        ("attachment; filename=a.pdf", "https://x.example/y", "a.pdf"),
        ("attachment; filename=x; filename*=utf-8''gr%C3%BC%C3%9Fe.txt", "https://x.example/y", "grüße.txt"),
        ("attachment; filename*=UTF-8''gr%C3%BC%C3%9Fe.txt", "https://x.example/y", "grüße.txt"),
        ('attachment; filename="../../etc/passwd"', "https://x.example/y", "passwd"),
        ('attachment; filename="..\\\\a.txt"', "https://x.example/y", "a.txt"),
        ("", "https://x.example/weekly%20report.csv?x=1", "weekly report.csv"),
        ("", "https://x.example/", "download"),
        ("", "https://x.example/..", "download"),
    ],
)
def test_a_download_gets_a_name_that_is_only_a_name(disposition: str, url: str, name: str) -> None:
    assert file_name(Response(200, headers={"content-disposition": disposition}), url) == name


def test_a_dotted_path_is_walked_and_never_fails() -> None:
    value = {"a": [{"b": 1}], "c": None}
    assert at(value, "a.0.b") == 1
    assert at(value, "a.7.b") is None
    assert at(value, "c.d") is None
    assert at(value, "x.y.z") is None
    assert at([1, 2], "1") == 2
    assert as_object([1]) == {}
    assert as_list({"a": 1}) == []


def test_a_pair_of_escapes_is_one_character() -> None:
    assert json_of(Response(200, b'"\\ud83d\\ude00"')) == "\U0001f600"
    assert read_json(b'["\\u00fc"]') == ["ü"]


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "idna", "punycode", "hex", "nonsense", "a\0b", "", "x" * 500]
)
def test_text_in_a_charset_that_is_none_is_read_as_utf_8(charset: str) -> None:
    text = Response(200, b"gr\xc3\xbc\xc3\x9fe \\ud800", {"content-type": f"text/plain; charset={charset}"}).text
    assert text == "grüße \\ud800"

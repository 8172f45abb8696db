"""Whatever a value says, it stays in its place in an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import ParameterError
from chalicelib.kit.address import joined, origin, path_part
from chalicelib.kit.values import Response


@pytest.mark.parametrize(
    ("given_url", "written"),
    [
        ("https://a.example", "https://a.example/"),
        ("HTTPS://A.Example:8443/X?y=1#part", "https://a.example:8443/X?y=1"),
        ("https://ü.example/ä b?q=ö|", "https://xn--tda.example/%C3%A4%20b?q=%C3%B6%7C"),
        ("https://a.example/%2F%zz", "https://a.example/%2F%25zz"),
        ("http://[2001:DB8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("http://a.example?x=1", "http://a.example/?x=1"),
        (" https://a.example/x ", "https://a.example/x"),
        ("https://a_b.example./x", "https://a_b.example./x"),
        ("https://a.example/a//b/../c", "https://a.example/a//b/../c"),
    ],
)
def test_an_address_is_written_so_that_everyone_reads_it_alike(given_url: str, written: str) -> None:
    assert joined("", given_url) == written
    assert joined("", written) == written


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@a.example/",
        "https://user@a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https:///x",
        "https://",
        "https://a.example:99999/",
        "https://a.example:x/",
        "https://a.example\\@b.example/",
        "https://a b.example/",
        "https://a.example/\r\nHost: b",
        "https://a.example/\x00",
        "https://a\t.example/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "https://a..example/",
        "https://-a.example/" + "x" * 20_000,
        "https://%61.example/",
        "https://a.example/\ud800",
        "//a.example/x",
        "/x",
        "",
    ],
)
def test_what_could_mean_two_things_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ParameterError, match=r"with\.url: ") as caught:
        joined("", url)
    assert "secret" not in caught.value.detail


@given(st.text())
def test_a_path_part_stays_one_part(text: str) -> None:
    if text in {"", ".", ".."} or any("\ud800" <= sign <= "\udfff" for sign in text):
        with pytest.raises(ParameterError):
            path_part(text, "id")
        return
    part = path_part(text, "id")
    assert not set(part) & set("/?#\\ \r\n")
    assert joined("https://a.example", f"/x/{part}/y") == f"https://a.example/x/{part}/y"


@pytest.mark.parametrize(
    ("value", "part"), [(17, "17"), (True, "true"), ("a/b", "a%2Fb"), ("ü", "%C3%BC"), (1.5, "1.5")]
)
def test_a_path_part_is_percent_encoded(value: object, part: str) -> None:
    assert path_part(value, "id") == part


def test_an_origin_names_its_port() -> None:
    assert origin("https://A.example/x") == origin("https://a.example:443/y")
    assert origin("http://a.example/") != origin("https://a.example/")
    assert origin("https://a.example:8443/") != origin("https://a.example/")


def test_a_path_of_two_slashes_stays_on_the_services_host() -> None:
    assert joined("https://api.example", "//evil.example/x") == "https://api.example/evil.example/x"


def test_text_of_an_answer_is_read_in_its_charset() -> None:
    assert Response(200, b"\xfc", {"content-type": "text/plain; charset=latin-1"}).text == "ü"
    assert Response(200, b"\xfc", {"content-type": "text/plain; charset=nonsense"}).text == "\ufffd"

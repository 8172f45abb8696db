"""Requests become bytes: the same ones every time, and only ever one request."""

import json
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import ParameterError
from chalicelib.kit.encode import Encoded, boundary_of, encode, form_bytes, json_bytes
from chalicelib.kit.service import Service
from chalicelib.kit.values import Part, Request

API = Service("Shop", base_url="https://api.shop.example/v1", headers={"Accept": "application/json", "x-version": "3"})
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


def sent(request: Request, **options: object) -> Encoded:
    return encode(request, API, **options)  # pyright: ignore[reportArgumentType]


def test_a_path_is_joined_to_the_services_address_and_its_headers_are_sent() -> None:
    encoded = sent(Request("GET", "/orders"))
    assert encoded == Encoded(
        "GET", "https://api.shop.example/v1/orders", (("accept", "application/json"), ("x-version", "3")), b""
    )


def test_the_credentials_address_stands_for_the_services() -> None:
    assert sent(Request("GET", "orders"), base_url="http://127.0.0.1:9000/").url == "http://127.0.0.1:9000/orders"


def test_a_query_in_the_base_url_stays_behind_the_path() -> None:
    encoded = sent(Request("GET", "/chat", query={"q": 1}), base_url="https://ai.example/openai?api-version=2")
    assert encoded.url == "https://ai.example/openai/chat?api-version=2&q=1"


def test_a_whole_address_stands_for_itself_even_where_the_base_url_has_braces() -> None:
    service = Service("AWS", base_url="https://sqs.{region}.amazonaws.com")
    assert encode(Request("GET", "https://other.example/x"), service).url == "https://other.example/x"


def test_without_any_address_a_path_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"with\.url: is not a whole address"):
        encode(Request("GET", "/orders"), None)


def test_braces_are_filled_by_parameters_and_the_requests_own_fills_win() -> None:
    service = Service("AWS", base_url="https://sqs.{region}.amazonaws.com")
    assert encode(Request("GET", "/"), service, fields={"region": "eu-west-1"}).url.startswith("https://sqs.eu-west-1.")
    own = Request("GET", "/", fills={"region": "us-east-2"})
    assert encode(own, service, fields={"region": "eu-west-1"}).url == "https://sqs.us-east-2.amazonaws.com/"
    with pytest.raises(ParameterError, match=r"with\.region: is needed"):
        encode(Request("GET", "/"), service)


@pytest.mark.parametrize(
    "region", ["evil.example/", "a.b", "x@evil.example", "a#", "a?b", "", "-a", "a-", "ü", 7, "a" * 64, "a\n"]
)
def test_what_fills_a_brace_cannot_lead_to_another_host(region: object) -> None:
    service = Service("AWS", base_url="https://sqs.{region}.amazonaws.com")
    with pytest.raises(ParameterError, match=r"with\.region"):
        encode(Request("GET", "/"), service, fields={"region": region})


def test_a_query_keeps_its_order_repeats_lists_and_leaves_nothing_out_but_null() -> None:
    query = {"a": "x y&z=ü+%", "b": [1, True, None, 2.5], "c": None, "d": "", "e": False, "f": 10**30}
    url = sent(Request("GET", "/s", query=query)).url
    assert url.endswith("/s?a=x%20y%26z%3D%C3%BC%2B%25&b=1&b=true&b=2.5&d=&e=false&f=1000000000000000000000000000000")


def test_a_query_joins_one_that_is_there() -> None:
    assert sent(Request("GET", "/s?a=1", query={"b": 2})).url.endswith("/s?a=1&b=2")


def test_an_object_has_no_place_in_a_query() -> None:
    with pytest.raises(ParameterError, match=r"with\.query\.filter: a list or an object"):
        sent(Request("GET", "/s", query={"filter": {"a": 1}}))


@given(st.dictionaries(TEXT, TEXT, min_size=1, max_size=4))
def test_any_query_is_read_back_as_it_was_given(query: dict[str, str]) -> None:
    url = sent(Request("GET", "/s", query=query)).url
    assert dict(parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)) == query


@given(JSON)
def test_any_json_is_read_back_as_it_was_given(value: object) -> None:
    body = sent(Request("POST", "/x", json=value)).body
    assert json.loads(body) == value
    assert body == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_json_is_utf_8_without_spaces_and_whole_numbers_are_exact() -> None:
    encoded = sent(Request("POST", "/x", json={"ü": [1, 12345678901234567890123]}))
    assert encoded.body == '{"ü":[1,12345678901234567890123]}'.encode()
    assert dict(encoded.headers)["content-type"] == "application/json"


def test_null_is_a_body_and_no_body_is_none() -> None:
    assert sent(Request("POST", "/x", json=None)).body == b"null"
    empty = sent(Request("POST", "/x"))
    assert empty.body == b""
    assert "content-type" not in dict(empty.headers)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, float("nan"), float("inf"), b"bytes", {"a": {1, 2}}])
def test_what_json_cannot_say_is_refused_without_repeating_it(value: object) -> None:
    with pytest.raises(ParameterError, match="the JSON body holds") as caught:
        json_bytes(value)
    assert caught.value.detail.isascii()


def test_json_nested_beyond_all_measure_is_refused() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ParameterError, match="nested too deeply"):
        json_bytes(value)


def test_a_form_is_written_as_browsers_write_it() -> None:
    form = {"a b": "x y", "c": ["1", 2], "d": None, "e": "~*-._ü&=", "f": True}
    encoded = sent(Request("POST", "/x", form=form))
    assert encoded.body == b"a+b=x+y&c=1&c=2&e=%7E*-._%C3%BC%26%3D&f=true"
    assert dict(encoded.headers)["content-type"] == "application/x-www-form-urlencoded"


@given(st.dictionaries(TEXT, TEXT, min_size=1, max_size=4))
def test_any_form_is_read_back_as_it_was_given(form: dict[str, str]) -> None:
    assert dict(parse_qsl(form_bytes(form).decode(), keep_blank_values=True, strict_parsing=True)) == form


def test_a_multipart_body_is_read_back_by_another_reader() -> None:
    parts = (
        Part("note", "grüße".encode()),
        Part("file", b"\x00\r\n--x\xff", filename='a"b\r\n.bin', type="image/png"),
        Part("data", b"{}", type="application/json"),
    )
    encoded = sent(Request("POST", "/x", parts=parts))
    kind = dict(encoded.headers)["content-type"]
    assert kind.startswith("multipart/form-data; boundary=penstock-")
    read = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + encoded.body, policy=HTTP)
    found = [
        (part["Content-Disposition"], part.get_content_type(), part.get_payload(decode=True))
        for part in read.iter_parts()
    ]
    assert [str(disposition) for disposition, _, _ in found] == [
        'form-data; name="note"',
        'form-data; name="file"; filename="a%22b%0D%0A.bin"',
        'form-data; name="data"',
    ]
    assert [payload for _, _, payload in found] == [part.content for part in parts]
    assert [name for _, name, _ in found] == ["text/plain", "image/png", "application/json"]


def test_the_same_parts_make_the_same_bytes_and_a_given_boundary_is_used() -> None:
    request = Request("POST", "/x", parts=(Part("a", b"1"),))
    assert sent(request) == sent(request)
    assert (
        sent(request, boundary="b1").body == b'--b1\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b1--\r\n'
    )


def test_a_boundary_never_occurs_in_a_part() -> None:
    first = boundary_of([Part("a", b"x")])
    assert boundary_of([Part("a", b"x"), Part("b", first.encode())]) != first
    hostile = Part("a", b"x")
    for _ in range(3):
        hostile = Part("a", hostile.content + boundary_of([hostile]).encode())
        assert boundary_of([hostile]).encode() not in hostile.content


def test_the_requests_headers_win_over_the_services_whatever_their_case() -> None:
    headers = dict(sent(Request("GET", "/x", headers={"ACCEPT": "text/csv", "If-Match": '"1"'})).headers)
    assert headers == {"accept": "text/csv", "x-version": "3", "if-match": '"1"'}


def test_a_given_content_type_is_kept_except_for_multipart() -> None:
    own = {"Content-Type": "application/vnd.api+json"}
    assert dict(sent(Request("POST", "/x", json={}, headers=own)).headers)["content-type"] == "application/vnd.api+json"
    parts = (Part("a", b"1"),)
    kind = dict(sent(Request("POST", "/x", parts=parts, headers=own)).headers)["content-type"]
    assert kind.startswith("multipart/form-data")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"x-a": "1\r\nx-b: 2"}, "line break"),
        ({"x-a": "1\n"}, "line break"),
        ({"x-a": "1\x00"}, "line break"),
        ({"x-a": "ü"}, "outside ASCII"),
        ({"x a": "1"}, "header name"),
        ({"x-a:": "1"}, "header name"),
        ({"": "1"}, "header name"),
        ({"x\r\ny": "1"}, "header name"),
        ({"Host": "evil.example"}, "leave it out"),
        ({"Content-Length": "5"}, "leave it out"),
        ({"transfer-encoding": "chunked"}, "leave it out"),
        ({"Connection": "close"}, "leave it out"),
        ({"x-a": "1", "X-A": "2"}, "twice"),
        ({"x-a": ["1"]}, "must be text"),
        ({"x-a": None}, "must be text"),
    ],
)
def test_no_header_can_start_another_or_reframe_the_message(headers: dict[str, str], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        sent(Request("GET", "/x", headers=headers))


def test_two_bodies_are_refused() -> None:
    with pytest.raises(ParameterError, match="one body"):
        sent(Request("POST", "/x", json={}, content=b"x"))

"""`http.request` and `http.download`: bodies, status rules, redirects, pages, and what an answer becomes."""

from typing import Any

import pytest

from chalicelib.catalogue import build
from chalicelib.errors import ParameterError, StepFailedError
from chalicelib.kit.action import Action
from chalicelib.kit.encode import encode
from chalicelib.kit.values import ABSENT, Failed, GetFile, Part, PutFile, Request, Response
from chalicelib.nodes.http.paging import next_link
from tests.talk import talk

URL = "https://api.example/things"
FILE = {"file": "f1", "name": "a.png", "type": "image/png", "size": 4}


def node(node_type: str = "http.request", /, **parameters: Any) -> Action:
    built = build(node_type, {"url": URL, **parameters})
    assert isinstance(built, Action)
    return built


def sent(**parameters: Any) -> Request:
    """The one request of a step whose answer is empty."""
    asked, _ = talk(node(**parameters), Response(204))
    assert len(asked) == 1
    return asked[0]


def body(response: Response, **parameters: Any) -> Any:
    """What an answer's body becomes."""
    _, value = talk(node(**parameters), response)
    return value["body"]


def test_every_method_is_sent_and_get_is_the_default() -> None:
    assert sent().method == "GET"
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
        assert sent(method=method).method == method


def test_json_null_is_a_body_and_no_json_is_none() -> None:
    assert sent(method="POST", json=None).json is None
    assert sent(method="POST").json is ABSENT
    assert sent(method="POST", json={"a": [1]}).json == {"a": [1]}


def test_a_form_a_text_and_base64_are_bodies() -> None:
    assert sent(method="POST", form={"a": 1}).form == {"a": 1}
    text = sent(method="POST", text="grüße")
    assert (text.content, dict(text.headers)) == ("grüße".encode(), {"content-type": "text/plain; charset=utf-8"})
    raw = sent(method="PUT", base64="AP8=", content_type="application/x-thing")
    assert (raw.content, dict(raw.headers)) == (b"\x00\xff", {"content-type": "application/x-thing"})


def test_a_file_is_a_body_with_its_own_type() -> None:
    asked, _ = talk(node(method="PUT", file=FILE), b"\x89PNG", Response(204))
    assert asked == (
        GetFile(FILE),
        Request("PUT", URL, headers={"content-type": "image/png"}, content=b"\x89PNG"),
    )


def test_multipart_takes_files_texts_objects_and_lists_of_them() -> None:
    parameters = {"method": "POST", "multipart": {"note": "hi", "n": [1, True], "data": {"a": 1}, "pic": FILE}}
    asked, _ = talk(node(**parameters), b"\x89PNG", Response(204))
    assert asked[-1].parts == (
        Part("note", b"hi"),
        Part("n", b"1"),
        Part("n", b"true"),
        Part("data", b'{"a":1}', type="application/json"),
        Part("pic", b"\x89PNG", "a.png", "image/png"),
    )
    assert b'filename="a.png"' in encode(asked[-1], None).body


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"json": 1, "text": "a"}, "one body, not json and text"),
        ({"form": {}, "file": FILE}, "one body"),
        ({"base64": "!"}, "not base64"),
        ({"method": "TRACE"}, r"with\.method"),
        ({"method": "CONNECT"}, r"with\.method"),
        ({"headers": {"a": "b\r\nc: d"}}, "line break"),
        ({"headers": {"Host": "x"}}, "leave it out"),
        ({"accept": "many"}, r"with\.accept: is not a status"),
        ({"accept": [99]}, "is not a status"),
        ({"accept": "6xx"}, "is not a status"),
        ({"fail_on": True}, "is not a status"),
        ({"follow": 11}, r"with\.follow"),
        ({"as": "xml"}, r"with\.as"),
        ({"paging": {"by": "cursor"}}, "needs `from`"),
        ({"paging": {"by": "page", "size_to": "limit"}}, "needs `size`"),
        ({"paging": {"by": "page", "max": 0}}, r"with\.paging\.max"),
        ({"paging": {"by": "page"}, "as": "file"}, "paging reads JSON"),
        ({"paging": {"by": "page"}, "method": "HEAD"}, "HEAD has none"),
        ({"url": None}, r"with\.url"),
        ({"verify": False}, "is not a parameter"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        node(**parameters)


@pytest.mark.parametrize("node_type", ["http.request", "http.download"])
@pytest.mark.parametrize("url", ["ftp://a.example/x", " FILE:///etc/passwd", "localhost:8080/x"])
def test_an_address_of_another_scheme_is_refused_when_it_is_written(node_type: str, url: str) -> None:
    with pytest.raises(ParameterError, match=r"with\.url: only http and https addresses can be called"):
        node(node_type, url=url)


@pytest.mark.parametrize("node_type", ["http.request", "http.download"])
@pytest.mark.parametrize("url", ["/things", "things?at=10:30", "", "HTTPS://a.example/x", " http://a.example/x"])
def test_paths_and_http_addresses_of_any_writing_are_taken(node_type: str, url: str) -> None:
    assert node(node_type, url=url).model_dump()["url"] == url


def test_half_a_character_is_refused() -> None:
    with pytest.raises(ParameterError):
        node(method="POST", text="\ud800")


def test_status_rules_become_what_the_worker_lets_through() -> None:
    assert sent().allow == ()
    assert sent(accept=404).allow == (404,)
    assert sent(accept=["404", 410]).allow == (404, 410)
    assert sent(accept="4xx").allow == tuple(range(400, 500))
    assert 302 in sent(follow=1).allow


def test_fail_on_makes_a_good_or_accepted_status_a_failure() -> None:
    _, value = talk(node(fail_on=[204]), Response(204))
    assert isinstance(value, Failed)
    assert (value.failure.code, value.failure.status, value.failure.sent) == ("http_204", 204, "answered")
    _, value = talk(node(accept="4xx", fail_on=401), Response(401))
    assert isinstance(value, Failed)
    _, value = talk(node(accept="4xx", fail_on=401), Response(404))
    assert value == {"status": 404, "headers": {}, "body": None}


def test_an_answer_is_read_by_its_content_type() -> None:
    assert body(Response.of({"id": 12345678901234567890})) == {"id": 12345678901234567890}
    assert body(Response(200, b'{"a": 1}', {"content-type": "application/vnd.x+json"})) == {"a": 1}
    assert body(Response(200, b"gr\xfc\xdfe", {"content-type": "text/plain; charset=iso-8859-1"})) == "grüße"
    assert body(Response(200, b"", {"content-type": "application/json"})) is None
    assert body(Response(204)) is None


def test_what_is_neither_json_nor_text_is_kept_as_a_file() -> None:
    response = Response(200, b"\x00", {"content-type": "image/png", "content-disposition": 'inline; filename="x.png"'})
    asked, value = talk(node(), response, FILE)
    assert asked[1] == PutFile(b"\x00", "x.png", "image/png")
    assert value["body"] == FILE


def test_as_says_how_an_answer_is_read() -> None:
    assert body(Response(200, b'{"a": 1}', {"content-type": "text/plain"}), **{"as": "json"}) == {"a": 1}
    assert body(Response.of({"a": 1}), **{"as": "text"}) == '{"a": 1}'
    asked, value = talk(node(**{"as": "file"}), Response(200, b""), FILE)
    assert asked[1] == PutFile(b"", "things", "application/octet-stream")
    assert value["body"] == FILE


def test_an_answer_that_says_json_and_is_not_fails_the_step() -> None:
    with pytest.raises(StepFailedError, match="not JSON"):
        body(Response(200, b"<html>", {"content-type": "application/json"}))


def redirect(status: int, location: str) -> Response:
    return Response(status, headers={"location": location})


def test_redirects_are_not_followed_unless_asked_for() -> None:
    assert sent().allow == ()


def test_a_redirect_on_the_same_host_keeps_credential_and_headers() -> None:
    step = node(follow=2, headers={"x-key": "k"}, query={"a": 1})
    asked, value = talk(step, redirect(302, "/v2/things?b=2"), Response.of(1))
    assert asked[1].path == "https://api.example/v2/things?b=2"
    assert (asked[1].signed, dict(asked[1].headers), dict(asked[1].query)) == (True, {"x-key": "k"}, {})
    assert value["body"] == 1


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/x", "//evil.example/x", "https://api.example:8443/x", "https://api.example.evil.example/"],
)
def test_on_another_host_the_credential_and_headers_stay_behind(location: str) -> None:
    step = node(follow=1, headers={"authorization": "Bearer x", "x-api-key": "k", "accept": "text/csv"})
    asked, _ = talk(step, redirect(307, location), Response.of(1))
    assert asked[1].signed is False
    assert dict(asked[1].headers) == {"accept": "text/csv"}


def test_that_our_own_deployment_is_meant_holds_for_the_host_that_was_named() -> None:
    assert sent().to_own is False
    asked, _ = talk(
        node(follow=2, own=True), redirect(302, "/b"), redirect(302, "https://other.example/"), Response(204)
    )
    assert [ask.to_own for ask in asked] == [True, True, False]


def test_the_credential_stays_behind_even_when_the_way_leads_back() -> None:
    step = node(follow=3, headers={"x-api-key": "k"})
    asked, _ = talk(step, redirect(302, "https://other.example/"), redirect(302, URL), Response.of(1))
    assert [ask.signed for ask in asked] == [True, False, False]
    assert dict(asked[2].headers) == {}


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (301, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
def test_the_method_of_a_redirect_is_the_rfcs(status: int, method: str, then: str) -> None:
    bodies = {} if method == "HEAD" else {"json": {"a": 1}}
    asked, _ = talk(node(method=method, follow=1, **bodies), redirect(status, "/b"), Response(204))
    assert asked[1].method == then
    assert (asked[1].json is ABSENT) is (then in {"GET", "HEAD"})


def test_redirects_end() -> None:
    with pytest.raises(StepFailedError, match="more than 2 redirects"):
        talk(node(follow=2), *[redirect(302, f"/{n}") for n in range(3)])


def test_a_redirect_down_to_http_or_to_no_web_address_is_refused() -> None:
    with pytest.raises(StepFailedError, match="from https to http"):
        talk(node(follow=1), redirect(302, "http://api.example/x"))
    with pytest.raises(ParameterError, match="only http and https"):
        talk(node(follow=1), redirect(302, "file:///etc/passwd"))
    with pytest.raises(ParameterError, match="user name or password"):
        talk(node(follow=1), redirect(302, "https://u:p@api.example/"))


@pytest.mark.parametrize(
    "link", ["http://exa\u2100mple.com/", "https://[::1/", "https://[x]/", "https://api.example:99999/"]
)
def test_an_address_in_an_answer_that_cannot_be_read_fails_the_step_by_name(link: str) -> None:
    with pytest.raises((StepFailedError, ParameterError), match="cannot be read"):
        talk(node(follow=1), redirect(302, link))
    with pytest.raises(StepFailedError, match="cannot be read"):
        talk(node(paging={"by": "url", "from": "next", "items": "rows"}), Response.of({"rows": [1], "next": link}))


def test_a_redirect_without_an_address_is_a_failure_and_an_accepted_one_an_answer() -> None:
    _, value = talk(node(follow=1), Response(302))
    assert isinstance(value, Failed)
    _, value = talk(node(follow=1, accept=302), redirect(302, "/x"))
    assert value["status"] == 302


def test_a_redirect_of_a_relative_step_is_followed_only_where_it_can_be_judged() -> None:
    with pytest.raises(StepFailedError, match="as a whole address"):
        talk(node(url="/things", follow=1), redirect(302, "/x"))
    asked, _ = talk(node(url="/things", follow=1), redirect(302, "https://api.example/x"), Response(204))
    assert asked[1].signed is False


def pages(parameters: dict[str, Any], *answers: Response) -> tuple[list[Request], Any]:
    asked, value = talk(node(paging=parameters), *answers)
    return list(asked), value


def test_pages_by_cursor_go_on_until_there_is_none() -> None:
    asked, value = pages(
        {"by": "cursor", "from": "meta.next", "to": "after", "items": "data", "size": 2, "size_to": "limit"},
        Response.of({"data": [1, 2], "meta": {"next": "c2"}}),
        Response.of({"data": [3, 4], "meta": {"next": "c3"}}),
        Response.of({"data": [5], "meta": {}}),
    )
    assert [dict(ask.query) for ask in asked] == [
        {"limit": 2},
        {"limit": 2, "after": "c2"},
        {"limit": 2, "after": "c3"},
    ]
    assert (value["body"], value["pages"], value["more"]) == ([1, 2, 3, 4, 5], 3, False)


def test_pages_by_number_end_with_an_empty_or_a_short_one() -> None:
    asked, value = pages({"by": "page"}, Response.of([1, 2]), Response.of([3]), Response.of([]))
    assert [ask.query["page"] for ask in asked] == [1, 2, 3]
    assert value["body"] == [1, 2, 3]
    asked, _ = pages({"by": "page", "to": "p", "first": 0, "size": 2}, Response.of([1, 2]), Response.of([3]))
    assert [ask.query["p"] for ask in asked] == [0, 1]


def test_pages_by_offset_count_the_rows() -> None:
    asked, value = pages(
        {"by": "offset", "size": 2, "size_to": "limit"}, Response.of([1, 2]), Response.of([3, 4]), Response.of([5])
    )
    assert [dict(ask.query) for ask in asked] == [{"limit": 2, "offset": offset} for offset in (0, 2, 4)]
    assert value["body"] == [1, 2, 3, 4, 5]


def test_pages_by_link_follow_the_header() -> None:
    link = {"link": '<https://api.example/things?page=2>; rel="next", <https://api.example/things?page=9>; rel="last"'}
    asked, value = pages({"by": "link"}, Response.of([1], **link), Response.of([2]))
    assert asked[1].path == "https://api.example/things?page=2"
    assert (value["body"], value["more"]) == ([1, 2], False)


def test_pages_by_address_in_the_body_may_be_relative() -> None:
    asked, _ = pages(
        {"by": "url", "from": "next", "items": "rows"},
        Response.of({"rows": [1], "next": "/things?after=1"}),
        Response.of({"rows": [2], "next": None}),
    )
    assert asked[1].path == "https://api.example/things?after=1"


def test_the_most_pages_is_a_bound_that_is_told() -> None:
    asked, value = pages({"by": "page", "max": 2}, Response.of([1]), Response.of([2]))
    assert len(asked) == 2
    assert value["more"] is True


def test_a_page_without_the_list_is_empty_and_one_without_a_list_is_a_mistake() -> None:
    _, value = pages({"by": "cursor", "from": "next", "items": "data"}, Response.of({"next": None}))
    assert value["body"] == []
    with pytest.raises(StepFailedError, match="not a list of rows"):
        pages({"by": "page"}, Response.of({"data": []}))
    with pytest.raises(StepFailedError, match="`data` of a page"):
        pages({"by": "page", "items": "data"}, Response.of({"data": {"a": 1}}))


def test_pages_that_would_never_end_or_lead_elsewhere_are_refused() -> None:
    same = Response.of({"rows": [1], "next": "c1"})
    with pytest.raises(StepFailedError, match="no end"):
        pages({"by": "cursor", "from": "next", "items": "rows"}, same, same)
    with pytest.raises(StepFailedError, match="no end"):
        pages({"by": "url", "from": "next", "items": "rows"}, Response.of({"rows": [1], "next": URL}))
    with pytest.raises(StepFailedError, match="another host"):
        pages({"by": "link"}, Response.of([1], link='<https://evil.example/2>; rel="next"'))
    with pytest.raises(StepFailedError, match="write this step's `url`"):
        talk(node(url="/things", paging={"by": "link"}), Response.of([1], link='<https://api.example/2>; rel="next"'))


def test_pages_after_a_redirect_to_another_host_stay_without_the_credential() -> None:
    step = node(follow=1, paging={"by": "link"})
    asked, value = talk(
        step,
        redirect(302, "https://other.example/list"),
        Response.of([1], link='<https://other.example/list?page=2>; rel="next"'),
        Response.of([2]),
    )
    assert [ask.signed for ask in asked] == [True, False, False]
    assert value["body"] == [1, 2]


def test_counted_pages_after_a_redirect_ask_the_first_address_again() -> None:
    step = node(follow=1, paging={"by": "page"})
    asked, _ = talk(step, redirect(307, "/v2?page=1"), Response.of([1]), Response.of([]))
    assert (asked[2].path, dict(asked[2].query)) == (URL, {"page": 2})


def test_a_failing_page_fails_the_step() -> None:
    _, value = talk(node(paging={"by": "page"}, fail_on=206), Response.of([1]), Response.of([2], status=206))
    assert isinstance(value, Failed)


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ("", None),
        ("<https://a/2>; rel=next", "https://a/2"),
        ('<https://a/2>; rel="prev next"', "https://a/2"),
        ('<https://a/1>; rel="prev", <https://a/2,3>; title="a, b"; rel="next"', "https://a/2,3"),
        ('<https://a/2>; REL="NEXT"', "https://a/2"),
        ('<https://a/2>; rel="last"', None),
        ("nonsense", None),
        ("<" * 5000, None),
    ],
)
def test_a_link_header_is_read(header: str, link: str | None) -> None:
    assert next_link(header) == link


def test_a_download_keeps_the_bytes_whatever_their_type() -> None:
    asked, value = talk(
        node("http.download", url="https://a.example/r/2026.json"),
        redirect(302, "https://files.example/x/export%20(1).json"),
        Response.of({"a": 1}),
        FILE,
    )
    assert asked[1].signed is False
    assert asked[2] == PutFile(b'{"a": 1}', "export (1).json", "application/json")
    assert value == {"file": FILE, "headers": {"content-type": "application/json"}}


def test_a_download_that_leads_nowhere_fails() -> None:
    _, value = talk(node("http.download"), Response(302))
    assert isinstance(value, Failed)
    with pytest.raises(StepFailedError, match="more than 5"):
        talk(node("http.download"), *[redirect(302, f"/{n}") for n in range(6)])


def test_a_method_may_be_written_in_lower_case():
    assert sent(method="put").method == "PUT"

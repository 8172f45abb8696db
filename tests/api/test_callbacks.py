"""Callbacks: answered once, by a program, with whatever it sends; never by looking."""

import gzip

import pytest

from chalicelib.errors import StoreError, TimedOutError
from tests.api.house import DUE, House, conforms, loaded, refused
from tests.api.test_approvals import BROWSER, Page, altered

JSON = {"content-type": "application/json"}


@pytest.fixture
def house():
    return House()


def test_a_callback_is_answered_with_all_that_was_sent(house):
    path = house.ask("callback", step="paid")
    headers = {**JSON, "x-shop": "north", "authorization": "Bearer theirs", "cookie": "a=b", "x-api-key": "theirs"}
    answer = house.send("POST", f"{path}?a=1&a=2&b=%C3%BC", b'{"ok":true,"n":9007199254740993}', headers=headers)
    assert answer.status == 200
    assert conforms(answer, "Received") == {"received": True}
    ((link, signal),) = house.door.signals
    assert (link.tenant, link.step, link.path) == ("main", "paid", ())
    assert signal.port == "received"
    assert signal.value == {
        "body": {"ok": True, "n": 9007199254740993},
        "headers": {"content-type": "application/json", "x-shop": "north"},
        "query": {"a": "1", "b": "ü"},
        "method": "POST",
    }


def test_it_needs_no_body_and_takes_put(house):
    assert house.send("PUT", house.ask("callback")).status == 200
    assert house.door.signals[0][1].value == {"body": None, "headers": {}, "query": {}, "method": "PUT"}


@pytest.mark.parametrize(
    ("body", "headers", "read"),
    [
        (b"a=1&b=2&b=3", {"content-type": "application/x-www-form-urlencoded"}, {"a": "1", "b": ["2", "3"]}),
        ("grüße".encode(), {"content-type": "text/plain"}, "grüße"),
        (gzip.compress(b"[1]", mtime=0), {**JSON, "content-encoding": "gzip"}, [1]),
        (b"plain", {}, "plain"),
    ],
)
def test_the_body_is_read_as_a_hooks_is(house, body, headers, read):
    assert house.send("POST", house.ask("callback"), body, headers=headers).status == 200
    assert house.door.signals[0][1].value["body"] == read


def test_files_of_a_form_stand_among_its_fields(house):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="order"\r\n\r\n17\r\n'
        b'--x\r\nContent-Disposition: form-data; name="scan"; filename="a.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n%PDF\r\n"
        b'--x\r\nContent-Disposition: form-data; name="order"; filename="o.txt"\r\n\r\nhi\r\n--x--\r\n'
    )
    house.send("POST", house.ask("callback"), body, headers={"content-type": "multipart/form-data; boundary=x"})
    read = house.door.signals[0][1].value["body"]
    assert (read["scan"]["name"], read["scan"]["type"], read["scan"]["size"]) == ("a.pdf", "application/pdf", 4)
    assert read["order"][0] == "17"
    assert read["order"][1]["name"] == "o.txt"


def test_a_step_in_a_loop_is_answered_by_its_own_link(house):
    first, second = (house.ask("callback", step="paid", path=(turn,)) for turn in (3, 4))
    assert first != second
    house.send("POST", second)
    ((link, _),) = house.door.signals
    assert (link.part, link.path) == ("rows", (4,))
    assert house.send("POST", first).status == 200


@pytest.mark.parametrize(
    ("status", "number", "code"),
    [("answered", 409, "link_used"), ("expired", 410, "link_expired"), ("ended", 409, "execution_ended")],
)
def test_what_is_over_is_refused_by_name(house, status, number, code):
    path = house.ask("callback", status)
    refused(house.send("POST", path, b"1"), number, code)
    refused(house.send("POST", f"{path}/heartbeat"), number, code)
    assert house.door.signals == []


def test_a_second_answer_is_refused_and_the_first_one_counts(house):
    path = house.ask("callback", "early")
    assert house.send("POST", path, b"first").status == 200
    refused(house.send("PUT", path, b"second"), 409, "link_used")
    assert [signal.value["body"] for _, signal in house.door.signals] == ["first"]


def test_a_link_that_is_wrong_altered_or_anothers_is_not_found(house):
    path = house.ask("callback")
    approval = house.ask("approval", step="other").replace("/approvals/", "/callbacks/")
    for wrong in (*altered(path), approval):
        for method in ("GET", "POST", "PUT"):
            refused(house.send(method, wrong, b"1" if method != "GET" else b""), 404, "link_wrong")
        refused(house.send("POST", f"{wrong}/heartbeat"), 404, "link_wrong")
    assert house.door.signals == []
    assert house.door.beats == []
    assert house.is_up()
    assert house.send("POST", path).status == 200


@pytest.mark.parametrize("status", ["early", "waiting", "answered", "expired", "ended"])
def test_looking_answers_nothing_and_says_what_the_address_is_for(house, status):
    path = house.ask("callback", status, step="paid")
    answer = house.send("GET", f"{path}?ok=true")
    told = refused(answer, 405, "method_not_allowed")
    assert answer.header("allow") == "POST, PUT, OPTIONS"
    assert (told["flow"], told["step"], told["state"]) == ("shop", "paid", status)
    assert told["expires"] == "2026-11-22T07:00:00.000Z"
    assert house.send("HEAD", path).status == 405
    page = house.send("GET", path, headers=BROWSER)
    assert (page.status, page.header("allow")) == (405, "POST, PUT, OPTIONS")
    assert "It takes one answer, sent by POST or PUT" in Page(page).text
    assert not Page(page).all("form")
    assert house.door.signals == []


def test_a_wrong_link_is_told_to_a_person_as_a_page(house):
    answer = house.send("GET", "/callbacks/nothing", headers=BROWSER)
    assert answer.status == 404
    assert "This link leads nowhere" in Page(answer).text


def test_a_heartbeat_moves_the_time_when_it_expires_and_answers_nothing(house):
    path = house.ask("callback")
    answer = house.send("POST", f"{path}/heartbeat", b"whatever")
    assert conforms(answer, "Expiry") == {"expires": "2026-11-22T07:01:00.000Z"}
    assert loaded(house.send("POST", f"{house.ask('callback', step='b', due=0)}/heartbeat")) == {"expires": None}
    assert len(house.door.beats) == 2
    assert house.door.signals == []
    refused(house.send("GET", f"{path}/heartbeat"), 405, "method_not_allowed")
    assert DUE


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", JSON, 400, "body_unreadable"),
        (b"\xff", JSON, 400, "body_unreadable"),
        (b"[" * 5000, JSON, 400, "body_unreadable"),
        (b"x", {**JSON, "content-encoding": "br"}, 400, "body_unreadable"),
        (b"x" * 8001, {}, 413, "body_too_large"),
        (gzip.compress(b"1" * 100_000), {**JSON, "content-encoding": "gzip"}, 413, "body_too_large"),
        (b"", {"content-length": "50000"}, 413, "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_the_link_still_works(body, headers, status, code):
    house = House(limit_bytes=8000)
    path = house.ask("callback")
    refused(house.send("POST", path, body, headers=headers), status, code)
    assert house.door.signals == []
    assert house.send("POST", path, b"1", headers=JSON).status == 200


def test_half_a_character_in_the_query_is_refused(house):
    path = house.ask("callback")
    refused(house.send("POST", f"{path}?a=\ud800"), 400, "usage")
    assert house.door.signals == []


@pytest.mark.parametrize(("error", "status"), [(StoreError("No."), 503), (TimedOutError("No."), 504)])
def test_what_was_not_recorded_is_not_said_to_be(house, error, status):
    path = house.ask("callback")
    house.door.raises = error
    assert house.send("POST", path, b"1").status == status

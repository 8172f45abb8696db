"""Whether a page or JSON is wanted."""

import pytest

from chalicelib.api.people import wants_page
from chalicelib.api.request import Request

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def asks(accept=None, content=None):
    headers = {"accept": accept} if accept is not None else {}
    return Request("POST", "/", (), {**headers, **({"content-type": content} if content else {})}, b"", 0)


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML; charset=utf-8", True),
        ("application/json", False),
        ("application/json, text/plain, */*", False),
        ("application/problem+json", False),
        ("application/json;q=0.5, text/html;q=0.4", False),
        ("application/json;q=0.4, text/html;q=0.5", True),
        ("application/json, text/html", True),
        ("text/html;q=0, application/json", False),
        ("text/html;q=high, application/json", False),
    ],
)
def test_who_names_one_of_the_two_gets_it(accept, page):
    assert wants_page(asks(accept), unless_said=not page) is page


@pytest.mark.parametrize("accept", [None, "", "*/*", "image/png", ";;q=,,", "text/html;q=0", "," * 100_000])
def test_who_names_neither_gets_what_the_address_is_for(accept):
    assert wants_page(asks(accept), unless_said=True) is True
    assert wants_page(asks(accept), unless_said=False) is False


def test_who_sends_json_and_names_nothing_gets_json():
    assert wants_page(asks(content="application/json"), unless_said=True) is False
    assert wants_page(asks(BROWSER, "application/json"), unless_said=True) is True

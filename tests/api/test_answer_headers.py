"""What every answer says to browsers: every route is asked, well and badly, and answers with all of it."""

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

import pytest

from chalicelib.api.routes import TABLE
from tests.api.house import House, opened_hook
from tests.api.test_auth import address

ASKED = [(method, route) for route in TABLE for method in (*route.methods, "OPTIONS", "TRACE")]
OF_ALL = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
}
OF_OURS = {"x-frame-options": "DENY", "cross-origin-resource-policy": "same-origin", "cache-control": "no-store"}


def checked(answer, *, is_hook=False):
    names = [name for name, _ in answer.headers]
    assert [name for name in set(names) if names.count(name) > 1 and name != "set-cookie"] == []
    for name, value in {**OF_ALL, **({} if is_hook else OF_OURS)}.items():
        assert answer.header(name) == value, (name, answer.headers)
    policy = answer.header("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "camera=()" in answer.header("permissions-policy")
    assert answer.header("access-control-allow-origin") is None
    assert answer.header("server") is None


@pytest.mark.parametrize(("method", "route"), ASKED, ids=lambda each: getattr(each, "handler", each))
@pytest.mark.parametrize("role", [None, "viewer", "admin"])
def test_every_answer_of_every_route_says_it(method, route, role):
    for body in (b"", b"{"):
        checked(House().send(method, address(route), body, role=role), is_hook=route.is_hook)


def test_a_hook_that_takes_a_delivery_says_it_too():
    house = House()
    answer = house.send("POST", opened_hook(house), {"total": 1})
    assert answer.status == 202
    checked(answer, is_hook=True)


def test_so_does_an_address_where_nothing_is_and_a_fault_of_ours():
    house = House()
    checked(house.send("GET", "/nowhere"))
    house.versions.flows = None
    answer = house.send("GET", "/api/v1/flows", role="viewer")
    assert answer.status == 500
    checked(answer)


def test_without_https_nobody_is_told_to_insist_on_it():
    answer = House(base_url="http://127.0.0.1:8700").send("GET", "/api/v1/health")
    assert answer.header("strict-transport-security") is None
    assert answer.header("x-content-type-options") == "nosniff"


class Loading(HTMLParser):
    """What a browser would have to load, run or style for a page, and where its forms go."""

    def __init__(self, page):
        super().__init__()
        self.loads, self.runs, self.styles, self.inline_styles, self.forms = [], [], [], [], []
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.loads += [given[name] for name in ("src", "data", "poster", "srcset") if name in given]
        if tag == "link":
            self.loads.append(given.get("href"))
        if tag == "form":
            self.forms.append(given.get("action"))
        self.runs += [name for name in given if name.startswith("on")] + ([tag] if tag in {"script", "iframe"} else [])
        self.inline_styles += [given["style"]] if "style" in given else []
        self._in_style = tag == "style"

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if self._in_style:
            self.styles.append(data)


@pytest.mark.parametrize("status", ["waiting", "early", "answered", "expired", "ended"])
def test_an_approvals_page_needs_nothing_that_its_policy_forbids(status):
    """As a browser applies the policy: each style by its hash, nothing loaded, nothing run, the form to itself."""
    house = House()
    path = house.ask("approval", status, ask="Ship it?")
    answer = house.send("GET", path, headers={"accept": "text/html"})
    checked(answer)
    policy = answer.header("content-security-policy")
    page = Loading(answer.body.decode())
    assert (page.loads, page.runs, page.inline_styles) == ([], [], [])
    assert page.styles
    for style in page.styles:
        assert f"'sha256-{b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy
    assert "form-action 'self'" in policy
    assert all(action is None or re.fullmatch(r"(/approvals/\S*)?", action) for action in page.forms)
    assert bool(page.forms) == (status in {"waiting", "early"})
    if page.forms:
        form = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}
        decided = house.send("POST", path, b"decision=approved&by=Ann", headers=form)
        assert decided.status == 200
        checked(decided)

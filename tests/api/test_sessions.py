"""Sessions of the console: opened with a key, kept by a cookie, over in time, of no use to another site."""

import asyncio
import re
from datetime import timedelta

import pytest

from chalicelib.api.auth import Caller, Role
from chalicelib.api.routes import TABLE
from chalicelib.api.sessions import IDLE_MS, KIND, LONGEST_MS, NOTED_MS, csrf_token
from tests.api.house import KEYS, House, conforms, loaded, refused
from tests.api.test_auth import address

BASE = "https://penstock.example"
OURS = {"origin": BASE, "sec-fetch-site": "same-origin"}
CHANGES = [
    (method, route)
    for route in TABLE
    if route.role is not None
    for method in route.methods
    if method != "GET" and route.handler != "sessions:open_session"
]


class Browser:
    """Keeps a cookie, and sends it with everything."""

    def __init__(self, house, role="editor"):
        self.house = house
        answer = house.send("POST", "/api/v1/session", role=role)
        assert answer.status == 201
        self.shown = conforms(answer, "Session")
        self.set_cookie = answer.header("set-cookie")
        self.cookie = self.set_cookie.partition(";")[0]

    @property
    def secret(self):
        return self.cookie.partition("=")[2]

    def send(self, method, target, body=b"", **headers):
        given = {"cookie": f"theme=dark; {self.cookie}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.house.send(method, target, body, headers=given)

    def change(self, method, target, body=b"", **headers):
        return self.send(method, target, body, **{**OURS, "x_penstock_csrf": self.shown["csrf"], **headers})

    def is_in(self):
        answer = self.send("GET", "/api/v1/flows")
        if answer.status == 200:
            return True
        refused(answer, 401, "unauthenticated")
        return False


def sessions(house):
    return asyncio.run(house.documents.page("main", KIND))


def passes(house, milliseconds):
    house.clock.moment += timedelta(milliseconds=milliseconds)


def test_a_key_opens_a_session_and_its_cookie_stands_for_the_key():
    house = House()
    browser = Browser(house, "viewer")
    assert (browser.shown["who"], browser.shown["role"], browser.shown["tenant"]) == ("key_viewer", "viewer", "main")
    assert browser.is_in()
    refused(browser.change("POST", "/api/v1/flows/shop/enable"), 403, "forbidden")
    assert Browser(house, "operator").change("POST", "/api/v1/flows/shop/enable").status == 404


def test_the_cookie_is_kept_from_scripts_other_sites_and_other_hosts():
    cookie = Browser(House()).set_cookie
    name, *attributes = cookie.split("; ")
    assert re.fullmatch(r"__Host-penstock=[0-9a-z]{52}", name)
    assert set(attributes) == {"Path=/", f"Max-Age={LONGEST_MS // 1000}", "HttpOnly", "SameSite=Strict", "Secure"}


def test_without_https_the_cookie_has_a_name_that_a_browser_takes():
    house = House(base_url="http://127.0.0.1:8700")
    browser = Browser(house)
    assert browser.set_cookie.startswith("penstock=")
    assert "Secure" not in browser.set_cookie
    assert browser.is_in()
    assert browser.send("GET", "/api/v1/flows", cookie=f"__Host-{browser.cookie}").status == 401


def test_of_the_cookie_and_the_key_only_hashes_are_kept():
    house = House()
    browser = Browser(house)
    (kept,) = sessions(house)
    assert browser.secret not in repr(kept)
    assert KEYS["editor"] not in repr(kept)
    assert browser.shown["csrf"] not in repr(kept)
    assert kept.expires


def test_only_a_key_opens_a_session_so_that_none_outlives_its_time():
    browser = Browser(House())
    answer = browser.change("POST", "/api/v1/session")
    refused(answer, 401, "unauthenticated")
    assert answer.header("set-cookie") is None


def test_a_proof_that_is_no_key_of_ours_opens_no_session():
    """Such as an issuer's token: nobody could end the session by revoking it."""
    house = House()

    async def nobodys(tenant, who, hashed):
        return None

    house.keys.holder = nobodys
    known = House().keys
    house.keys.caller = known.caller
    refused(house.send("POST", "/api/v1/session", role="admin"), 400, "usage")
    assert sessions(house) == []


def test_a_session_that_was_planted_is_over_once_its_victim_signs_in():
    house = House()
    planted = Browser(house, "viewer")
    headers = {"authorization": f"Bearer {KEYS['admin']}", "cookie": planted.cookie}
    answer = house.send("POST", "/api/v1/session", headers=headers)
    assert answer.status == 201
    assert planted.secret not in answer.header("set-cookie")
    assert not planted.is_in()


def test_a_secret_that_nobody_gave_out_opens_nothing():
    house = House()
    Browser(house)
    for secret in ("0" * 52, "", "x", "0" * 1_000, "ü" * 52, "../" + "0" * 49):
        for cookie in (f"__Host-penstock={secret}", f"penstock={secret}"):
            assert house.send("GET", "/api/v1/flows", headers={"cookie": cookie}).status == 401
    assert len(sessions(house)) == 1


def test_two_cookies_of_our_name_are_none():
    house = House()
    browser, other = Browser(house), Browser(house)
    assert not_in(house, f"{browser.cookie}; {other.cookie}")
    raw = (("cookie", browser.cookie), ("cookie", other.cookie))
    headers = {"cookie": browser.cookie}
    assert house.send("GET", "/api/v1/flows", headers=headers, raw_headers=raw).status == 401


def not_in(house, cookie):
    return house.send("GET", "/api/v1/flows", headers={"cookie": cookie}).status == 401


def test_signing_out_ends_the_session_wherever_its_cookie_is():
    house = House()
    browser, other = Browser(house), Browser(house)
    answer = browser.change("DELETE", "/api/v1/session")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("set-cookie").startswith("__Host-penstock=; Path=/; Max-Age=0;")
    assert not browser.is_in()
    assert other.is_in()
    assert len(sessions(house)) == 1


def test_a_session_ends_with_its_key_and_with_its_key_alone():
    house = House()
    editor, viewer = Browser(house, "editor"), Browser(house, "viewer")
    house.keys.revoked.add("editor")
    assert not editor.is_in()
    assert viewer.is_in()


def test_a_session_nobody_uses_is_over():
    house = House()
    used, left = Browser(house), Browser(house)
    for _ in range(4):
        passes(house, IDLE_MS // 2)
        assert used.is_in()
    assert not left.is_in()


def test_a_session_is_over_in_the_end_however_much_it_is_used():
    house = House()
    browser = Browser(house)
    while house.clock.moment.timestamp() * 1000 < sessions(house)[0].value["opened"] + LONGEST_MS:
        assert browser.is_in()
        passes(house, IDLE_MS - NOTED_MS)
    passes(house, 1_000)
    assert not browser.is_in()


def test_using_a_session_writes_no_more_than_once_a_minute():
    house = House()
    browser = Browser(house)
    revs = set()
    for _ in range(30):
        assert browser.is_in()
        revs.add(sessions(house)[0].rev)
        passes(house, 5_000)
    assert len(revs) == 3


@pytest.mark.parametrize(("method", "route"), CHANGES, ids=lambda each: getattr(each, "handler", each))
def test_no_route_changes_anything_for_another_site(method, route):
    """T1 of browsers: the cookie comes along by itself, the token and the word for where it came from do not."""
    house = House()
    browser = Browser(house, "admin")
    token, target = {"x_penstock_csrf": browser.shown["csrf"]}, address(route)
    for headers in (
        {},
        OURS,
        token,
        {**token, "origin": "https://evil.example"},
        {**token, "origin": "null"},
        {**token, "origin": f"{BASE}.evil.example"},
        {**token, "origin": "http://penstock.example"},
        {**token, "sec-fetch-site": "same-site"},
        {**token, "sec-fetch-site": "cross-site"},
        {**token, "sec-fetch-site": "none"},
        {**token, "sec-fetch-site": "same-origin", "origin": "https://evil.example"},
        {**OURS, "x_penstock_csrf": ""},
        {**OURS, "x_penstock_csrf": csrf_token("0" * 52)},
        {**OURS, "x_penstock_csrf": "\ud800"},
        {**token, "origin": "http://here", "host": "here"},
    ):
        refused(browser.send(method, target, **headers), 403, "cross_site")
    assert browser.change(method, target).status not in {401, 403}


def test_a_token_of_another_session_is_none():
    house = House()
    mine, theirs = Browser(house), Browser(house)
    answer = mine.change("POST", "/api/v1/flows/shop/enable", x_penstock_csrf=theirs.shown["csrf"])
    refused(answer, 403, "cross_site")


def test_either_word_of_the_browser_is_enough():
    browser = Browser(House())
    token = {"x_penstock_csrf": browser.shown["csrf"]}
    for headers in ({"origin": BASE}, {"sec-fetch-site": "same-origin"}):
        assert browser.send("POST", "/api/v1/flows/shop/enable", **token, **headers).status == 404


def test_without_https_the_console_is_reached_under_any_name_of_the_machine():
    browser = Browser(House(base_url="http://127.0.0.1:8700"))
    token = {"x_penstock_csrf": browser.shown["csrf"], "host": "localhost:8700"}
    shown = browser.send("POST", "/api/v1/flows/shop/enable", **token, origin="http://localhost:8700")
    assert shown.status == 404
    refused(browser.send("POST", "/api/v1/flows/shop/enable", **token, origin="http://evil:8700"), 403, "cross_site")


def test_a_key_needs_no_token_and_goes_before_a_cookie():
    house = House()
    browser = Browser(house, "viewer")
    headers = {
        "authorization": f"Bearer {KEYS['operator']}",
        "cookie": browser.cookie,
        "origin": "https://evil.example",
    }
    assert house.send("POST", "/api/v1/flows/shop/enable", headers=headers).status == 404
    wrong = {"authorization": "Bearer wrong", "cookie": browser.cookie}
    refused(house.send("GET", "/api/v1/flows", headers=wrong), 401, "unauthenticated")


def test_the_session_is_shown_to_its_cookie_alone():
    house = House()
    browser = Browser(house)
    assert conforms(browser.send("GET", "/api/v1/session"), "Session") == browser.shown
    refused(house.send("GET", "/api/v1/session", role="admin"), 404, "not_found")
    refused(house.send("DELETE", "/api/v1/session", role="admin"), 404, "not_found")
    assert "set-cookie" not in dict(browser.send("GET", "/api/v1/session").headers)


def test_a_session_is_a_tenants_own_documents_and_never_listed():
    house = House()
    browser = Browser(house)
    assert browser.secret not in repr(loaded(house.send("GET", "/api/v1/audit", role="admin")))


def made_key(house, **more):
    answer = house.send("POST", "/api/v1/keys", {"name": "console", "role": "operator", **more}, role="admin")
    assert answer.status == 201
    return loaded(answer)


def session_of(house, made):
    answer = house.send("POST", "/api/v1/session", headers={"authorization": f"Bearer {made['key']}"})
    browser = Browser.__new__(Browser)
    browser.house, browser.shown = house, conforms(answer, "Session")
    browser.cookie = answer.header("set-cookie").partition(";")[0]
    return browser


def test_a_session_reaches_no_further_than_the_scopes_of_its_key():
    house = House()
    browser = session_of(house, made_key(house, scopes=["read:shop"]))
    for method, target, status in (
        ("GET", "/api/v1/flows/payroll", 404),
        ("POST", "/api/v1/flows/shop/enable", 403),
        ("GET", "/api/v1/session", 200),
    ):
        assert browser.change(method, target).status == status, target
    assert browser.change("DELETE", "/api/v1/session").status == 204


def test_a_session_ends_when_its_key_is_revoked():
    house = House()
    made = made_key(house)
    browser = session_of(house, made)
    assert browser.is_in()
    assert house.send("POST", f"/api/v1/keys/{made['id']}/revoke", role="admin").status == 200
    assert not browser.is_in()


def test_a_session_is_of_the_tenant_of_its_key():
    house = House()
    house.keys.stored = Elsewhere()
    browser = session_of(house, {"key": "anything"})
    assert browser.shown["tenant"] == "other"
    assert asyncio.run(house.documents.page("main", KIND))[0].value["tenant"] == "other"


class Elsewhere:
    """Knows one key, of another tenant."""

    async def caller(self, key):
        return Caller("key_x", Role.VIEWER, "other")

    async def holder(self, tenant, who, hashed):
        return Caller("key_x", Role.VIEWER, "other") if (tenant, who) == ("other", "key_x") else None

    def used(self, caller):
        return None


def test_a_token_of_an_issuer_opens_no_session():
    house = House()
    house.keys.stored = Tokens()
    answer = house.send("POST", "/api/v1/session", headers={"authorization": "Bearer a.b.c"})
    refused(answer, 400, "usage")
    assert list(sessions(house)) == []


class Tokens(Elsewhere):
    """Knows whose a token is, and nobody by a hash."""

    async def holder(self, tenant, who, hashed):
        return None

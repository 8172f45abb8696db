"""Credentials through the API: values come in, and nothing but names goes out."""

import json
import logging

import pytest

from chalicelib.api.routes_credentials import CREDENTIALS
from chalicelib.ports import HttpAnswer
from tests.api.house import House, conforms, loaded, refused

TOKEN = "sk-live-0123456789abcdef"
NEW = {"type": "bearer", "fields": {"token": TOKEN, "hosts": "api.example.com"}}
USES = """flow: shop
steps:
  ask: {uses: http.request, credential: crm, with: {url: "https://api.example.com/"}}
"""


@pytest.fixture
def house():
    return House()


def put(house, name="crm", body=None, role="editor"):
    return house.send("PUT", f"/api/v1/credentials/{name}", NEW if body is None else body, role=role)


def post(house, what, body=None, role="editor", name="crm"):
    return house.send("POST", f"/api/v1/credentials/{name}/{what}", body or {}, role=role)


def publish(house, role="editor", name="shop"):
    headers = {"content-type": "application/yaml"}
    text = USES.replace("shop", name).encode()
    return house.send("PUT", f"/api/v1/flows/{name}", text, headers=headers, role=role)


def test_a_credential_is_stored_shown_without_values_and_removed(house):
    created = put(house)
    assert created.status == 201
    shown = conforms(created, "Credential")
    assert shown == {
        "name": "crm",
        "origin": "vault",
        "hides": False,
        "broken": False,
        "type": "bearer",
        "version": 1,
        "fields": ["hosts", "token"],
        "hosts": ["api.example.com"],
        "share": {"role": "editor", "flows": None},
        "created": "2026-11-20T07:00:00.000Z",
        "changed": "2026-11-20T07:00:00.000Z",
        "former_until": None,
    }
    assert put(house).status == 200
    listed = house.send("GET", "/api/v1/credentials", role="viewer")
    assert [each["version"] for each in conforms(listed, "Credentials")["items"]] == [2]
    assert conforms(house.send("GET", "/api/v1/credentials/crm", role="viewer"), "Credential")["version"] == 2
    gone = house.send("DELETE", "/api/v1/credentials/crm", role="editor")
    assert conforms(gone, "CredentialGone") == {"name": "crm", "environment": False}
    refused(house.send("GET", "/api/v1/credentials/crm", role="viewer"), 404, "not_found")


@pytest.mark.parametrize("row", CREDENTIALS, ids=lambda row: row[2])
def test_each_route_wants_its_role_and_a_key(house, row):
    """Z7: who is merely known neither changes nor removes a credential, and nobody reads one."""
    put(house)
    method, path, least = row[0][0], row[1].replace("{name}", "crm"), row[3]
    body = b"{}" if method in {"PUT", "POST"} else b""
    headers = {"content-type": "application/json"}
    refused(house.send(method, path, body, headers=headers), 401, "unauthenticated")
    for role in ("viewer", "operator", "editor", "admin"):
        answer = house.send(method, path, body, headers=headers, role=role)
        order = ["viewer", "operator", "editor", "admin"]
        assert (answer.status == 403) == (order.index(role) < order.index(least.name.lower())), (role, answer.body)


def test_new_values_are_a_new_version_and_the_former_secret_counts_for_a_while(house):
    put(house, "hook", {"fields": {"secret": "one-one-one"}})
    answer = post(house, "rotate", {"fields": {"secret": "two-two-two"}, "overlap_seconds": 60}, name="hook")
    shown = conforms(answer, "Credential")
    assert (shown["version"], shown["type"], shown["former_until"]) == (2, "secret", "2026-11-20T07:01:00.000Z")
    refused(post(house, "rotate", {"fields": {"secret": "x"}, "overlap_seconds": 10**9}, name="hook"), 400, "usage")


def test_who_may_use_it_is_for_admins_to_say(house):
    put(house)
    shared = post(house, "share", {"role": "admin", "flows": ["shop"]}, role="admin")
    assert conforms(shared, "Credential")["share"] == {"role": "admin", "flows": ["shop"]}
    assert conforms(post(house, "share", {"flows": None}, role="admin"), "Credential")["share"]["flows"] is None
    refused(post(house, "share", {}, role="admin"), 400, "usage")
    refused(post(house, "share", {"role": "viewer"}, role="admin"), 400, "usage")
    refused(post(house, "share", {"flows": ["Not A Flow"]}, role="admin"), 400, "usage")
    for answer in (put(house), post(house, "rotate", {"fields": {"token": TOKEN}}), post(house, "test")):
        refused(answer, 403, "credential_not_shared")
    refused(house.send("DELETE", "/api/v1/credentials/crm", role="editor"), 403, "credential_not_shared")
    refused(put(house, "other", {**NEW, "role": "editor"}), 403, "forbidden")
    assert put(house, "other", {**NEW, "flows": []}, role="admin").status == 201


def test_a_flow_is_not_published_by_who_may_not_use_its_credential_nor_under_a_name_it_is_not_shared_with(house):
    assert publish(house).status == 201
    put(house)
    assert publish(house).status == 200
    post(house, "share", {"flows": ["shop"]}, role="admin")
    assert publish(house).status == 200
    refused(publish(house, name="other"), 403, "credential_not_shared")
    assert house.send("GET", "/api/v1/flows/other", role="viewer").status == 404
    post(house, "share", {"role": "admin"}, role="admin")
    refused(publish(house), 403, "credential_not_shared")
    assert publish(house, role="admin").status == 200


def test_a_version_that_uses_it_is_not_brought_back_by_who_may_not(house):
    first = loaded(publish(house))["version"]
    house.publish('flow: shop\nsteps:\n  note: {uses: set, with: {value: "x"}}\n')
    put(house)
    post(house, "share", {"role": "admin"}, role="admin")
    body = {"version": first}
    refused(house.send("POST", "/api/v1/flows/shop/rollback", body, role="editor"), 403, "credential_not_shared")
    assert house.send("POST", "/api/v1/flows/shop/rollback", body, role="admin").status == 200


def test_a_test_says_what_the_service_answered_and_nothing_of_it(house):
    put(house)
    house.http.answers["https://api.example.com/me"] = HttpAnswer(200, (), TOKEN.encode())
    answer = post(house, "test", {"url": "https://api.example.com/me"})
    assert conforms(answer, "CredentialTested")["works"] is True
    assert TOKEN.encode() not in answer.body
    refused(post(house, "test", {"url": "https://evil.example/"}), 422, "credential_unfit")
    assert conforms(post(house, "test"), "CredentialTested")["works"] is None


def test_everything_is_brought_under_a_new_master_key(house):
    for number in range(3):
        put(house, f"c{number}")
    answer = house.send("POST", "/api/v1/vault/rewrap", {"new_key": True}, role="admin")
    assert conforms(answer, "VaultRewrapped") == {
        "master_key": "key-1",
        "looked_at": 3,
        "rewrapped": 3,
        "failed": [],
        "cursor": None,
    }


@pytest.mark.parametrize("name", ["Crm", "a-b", "9a", "a" * 41, "%00", "a%20b", "%ff"])
def test_a_name_that_no_flow_could_write_is_refused(house, name):
    assert put(house, name).status in {400, 404}


SECRET_BODIES = [
    {"fields": TOKEN},
    {"fields": [TOKEN]},
    {"fields": {"token": [TOKEN]}},
    {"fields": {"token": {"token": TOKEN}}},
    {"fields": {"token": 7, "other": TOKEN}},
    {"fields": {"token": TOKEN, "hosts": f"https://{TOKEN}/"}},
    {"fields": {"token": TOKEN, "base_url": TOKEN}},
    {"fields": {"token": TOKEN}, "type": 5},
    {"fields": {"token": TOKEN}, "type": "nonsense"},
    {"fields": {"token": TOKEN}, "tipe": "bearer"},
    {"fields": {"token": TOKEN * 2000}},
    {"fields": {"value": TOKEN}, "type": "header"},
    {"fields": {"token": TOKEN, "unknown": TOKEN}, "type": "github"},
    {"fields": {"token": TOKEN}, "flows": TOKEN},
    {"fields": {"token": TOKEN}, "flows": [f"{TOKEN} with a space"]},
    {"fields": {"token": TOKEN}, "role": TOKEN},
    {"token": TOKEN},
    [TOKEN],
    TOKEN,
]


@pytest.mark.parametrize("body", SECRET_BODIES, ids=repr)
@pytest.mark.parametrize("what", ["", "/rotate", "/share", "/test"])
def test_no_refusal_and_no_log_line_repeats_a_value(house, body, what, caplog):
    caplog.set_level(logging.DEBUG)
    put(house)
    method = "POST" if what else "PUT"
    for content in (
        json.dumps(body).encode(),
        json.dumps(body).encode()[:-1],
        TOKEN.encode(),
        b"\xff" + TOKEN.encode(),
    ):
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            headers = {"content-type": kind}
            answer = house.send(method, f"/api/v1/credentials/crm{what}", content, headers=headers, role="admin")
            assert TOKEN.encode() not in answer.body
            assert TOKEN not in repr(answer.headers)
            assert answer.status < 500
    assert TOKEN not in caplog.text


def test_no_answer_about_credentials_holds_a_value(house, caplog):
    """T1, T6: a secret that came in is in no answer, and in no record in the clear."""
    caplog.set_level(logging.DEBUG)
    answers = [put(house), post(house, "rotate", {"fields": {"token": TOKEN}, "overlap_seconds": 60})]
    answers += [post(house, "share", {"flows": ["shop"]}, role="admin"), post(house, "test")]
    answers += [house.send("GET", path, role="admin") for path in ("/api/v1/credentials", "/api/v1/credentials/crm")]
    answers += [house.send("POST", "/api/v1/vault/rewrap", {}, role="admin"), publish(house)]
    answers += [house.send("DELETE", "/api/v1/credentials/crm", role="admin")]
    assert all(answer.status < 400 for answer in answers), [answer.body for answer in answers]
    assert not any(TOKEN.encode() in answer.body for answer in answers)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(vars(house.documents))

"""`penstock keys`: a key alone on stdout, its story on stderr, and never a key in a list."""

import pytest

from tests.api.house import KEYS, House
from tests.cli.api_server import serving
from tests.cli.calling import penstock


@pytest.fixture
def ask():
    house = House()
    with serving(house) as url:

        def call(*arguments, key=KEYS["admin"]):
            return penstock(*arguments, PENSTOCK_URL=url, PENSTOCK_KEY=key)

        yield call


def test_a_key_is_made_alone_on_stdout_and_opens_what_it_is_for(ask):
    said = ask("keys", "create", "CRM sync", "--role", "operator", "--scope", "shop", "--scope", "read:*")
    assert said.code == 0
    key = said.out.strip()
    assert key.startswith("penstock_main.")
    assert said.out == f"{key}\n"
    assert key not in said.err
    assert "operator of the flows shop read:* of tenant main, until 2027-02-18" in said.err
    assert ask("flows", "list", key=key).code == 0
    refused = ask("flows", "enable", "shop", key=key)
    assert refused.code == 2  # it may: there is no such flow
    assert ask("keys", "list", key=key).code == 3


def test_keys_are_listed_without_the_keys(ask):
    assert "No key was made yet" in ask("keys", "list").err
    secret = ask("keys", "create", "one", "--never-expires").out.strip()
    ask("keys", "create", "two", "--days", "1", "--scope", "order-*")
    said = ask("keys", "list")
    rows = {row.split("\t")[1]: row.split("\t")[2:7] for row in said.out.splitlines()}
    assert rows["one"] == ["viewer", "all", "active", "never", "never"]
    assert rows["two"] == ["viewer", "order-*", "active", "2026-11-21T07:00:00.000Z", "never"]
    assert secret.rpartition(".")[2] not in said.out + ask("keys", "list", "--json").out
    assert {each["name"] for each in ask("keys", "list", "--json").json} == {"one", "two"}


def test_every_page_of_keys_is_listed(ask):
    for number in range(103):
        assert ask("keys", "create", f"key {number}").code == 0
    assert len(ask("keys", "list").out.splitlines()) == 103


def test_a_key_is_rotated_and_revoked_by_its_id(ask):
    made = ask("keys", "create", "one", "--json").json
    first, key_id = made["key"], made["id"]
    second = ask("keys", "rotate", key_id, "--overlap", "60").out.strip()
    assert [ask("flows", "list", key=key).code for key in (first, second)] == [0, 0]
    third = ask("keys", "rotate", key_id, "--json").json["key"]
    assert [ask("flows", "list", key=key).code for key in (first, second, third)] == [3, 3, 0]
    assert ask("keys", "revoke", key_id).out == f"{key_id}\trevoked\n"
    assert ask("keys", "revoke", key_id, "--json").json["status"] == "revoked"
    refused = ask("flows", "list", key=third)
    assert (refused.code, "was revoked" in refused.err) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["create", "n", "--role", "owner"], 2),
        (["create", "n", "--days", "0"], 2),
        (["create", "n", "--days", "1", "--never-expires"], 2),
        (["create", "n", "--scope", "Shop"], 2),
        (["create", "n", "--tenant", "other"], 3),
        (["list", "--tenant", "other"], 3),
        (["revoke", "nobodys"], 2),
        (["rotate", "nobodys"], 2),
        (["rotate", "nobodys", "--overlap", "-1"], 2),
    ],
)
def test_what_cannot_be_ends_with_its_code_and_no_key(ask, arguments, code):
    said = ask("keys", *arguments)
    assert (said.code, said.out) == (code, "")
    assert said.err

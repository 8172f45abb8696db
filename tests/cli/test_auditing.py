"""`penstock audit`: the log as a table and as JSON, by time, who and what."""

from datetime import timedelta

import pytest

from tests.api.house import KEYS, House
from tests.cli.api_server import serving
from tests.cli.calling import penstock


@pytest.fixture
def house():
    house = House()
    for number in range(130):
        house.send("POST", f"/api/v1/flows/f{number}/enable", role="operator", peer="192.0.2.7")
        house.clock.moment += timedelta(minutes=1)
    house.send("PUT", "/api/v1/flows/shop", b"x", role="viewer", peer="192.0.2.8")
    return house


@pytest.fixture
def ask(house):
    with serving(house) as url:

        def call(*arguments, role="admin"):
            return penstock("audit", *arguments, PENSTOCK_URL=url, PENSTOCK_KEY=KEYS[role])

        yield call


def test_the_newest_entries_are_shown_with_who_what_when_and_from_where(ask):
    said = ask("--limit", "3")
    assert said.code == 0
    seen = "publishing_enable"
    target = "/api/v1/flows/f129/enable"
    assert said.out.replace("\t", " ").splitlines() == [
        "2026-11-20T09:10:00.000Z key_viewer viewer publishing_publish denied forbidden 1 192.0.2.8 -",
        f"2026-11-20T09:09:00.000Z key_operator operator {seen} failed not_found 1 192.0.2.7 {target}",
        f"2026-11-20T09:09:00.000Z key_operator operator {seen} allowed - 1 192.0.2.7 {target}",
    ]


def test_pages_are_walked_to_the_number_that_is_wanted(ask):
    found = ask("--limit", "1000", "--json", "--outcome", "allowed").json
    assert len(found) == 130
    assert len({each["id"] for each in found}) == 130
    assert len(ask("--limit", "101", "--json").json) == 101


def test_entries_are_narrowed_by_time_who_and_what(ask):
    assert len(ask("--since", "2026-11-20T09:00:00Z", "--outcome", "allowed", "--json").json) == 10
    assert len(ask("--until", "2026-11-20T08:00:00+01:00", "--outcome", "allowed", "--json").json) == 1
    assert ask("--since", "1m", "--until", "1h", "--json").json == []
    assert {each["who"] for each in ask("--who", "key_viewer", "--json").json} == {"key_viewer"}
    said = ask("--action", "publishing_disable")
    assert (said.code, said.out) == (0, "")
    assert "no such entry" in said.err


def test_what_makes_no_sense_is_usage_and_other_roles_are_refused(ask):
    assert ask("--since", "yesterday").code == 2
    assert ask("--outcome", "perhaps").code == 2
    assert ask("--limit", "0").code == 2
    assert ask(role="editor").code == 3

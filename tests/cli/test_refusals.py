"""`penstock refusals`: what was refused, as a table and as JSON."""

import pytest

from tests.api.house import KEYS, SIGNED, STEPS, House
from tests.cli.api_server import serving
from tests.cli.calling import penstock


@pytest.fixture
def house():
    house = House()
    house.publish(SIGNED + STEPS)
    return house


@pytest.fixture
def ask(house):
    with serving(house) as url:

        def call(*arguments, role="viewer"):
            return penstock(*arguments, PENSTOCK_URL=url, PENSTOCK_KEY=KEYS[role])

        yield call


def test_refusals_are_listed_by_flow_trigger_and_reason(house, ask):
    for _ in range(3):
        house.send("POST", "/hooks/shop/placed", b"{}")
    house.send("POST", "/hooks/none/placed", b"{}")
    said = ask("refusals")
    assert said.code == 0
    assert [line.split("\t") for line in said.out.splitlines()] == [
        ["2026-11-20", "-", "-", "not_found", "1", "2026-11-20T07:00:00.000Z"],
        ["2026-11-20", "shop", "placed", "signature_missing", "3", "2026-11-20T07:00:00.000Z"],
    ]
    assert len(ask("refusals", "shop").out.splitlines()) == 1
    (item,) = ask("refusals", "shop", "--days", "1", "--json").json
    assert (item["reason"], item["count"]) == ("signature_missing", 3)


def test_where_nothing_was_refused_it_says_so(ask):
    said = ask("refusals", "--days", "2")
    assert (said.code, said.out) == (0, "")
    assert "since 2026-11-19" in said.err
    assert ask("refusals", "--json").json == []


def test_days_out_of_range_are_usage(ask):
    assert ask("refusals", "--days", "31").code == 2
    assert ask("refusals", "No Flow").code == 2

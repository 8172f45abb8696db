"""Flows as they are shown."""

import hashlib

from tests.api.house import OPEN, SIGNED, STEPS, House, conforms, loaded, refused


def get(house, path, role="viewer"):
    return house.send("GET", f"/api/v1/flows{path}", role=role)


def test_flows_are_listed_by_name():
    house = House()
    for name in ("zebra", "ape"):
        house.publish((SIGNED + STEPS).replace("flow: shop", f"flow: {name}"), name)
    assert [flow["flow"] for flow in conforms(get(house, ""), "Flows")["items"]] == ["ape", "zebra"]


def test_a_flow_that_is_paused_says_so():
    house = House()
    house.publish(SIGNED + STEPS)
    assert conforms(get(house, "/shop"), "Flow")["paused"] is False
    house.send("POST", "/api/v1/flows/shop/pause", role="operator")
    assert conforms(get(house, "/shop"), "Flow")["paused"] is True
    assert [flow["paused"] for flow in conforms(get(house, ""), "Flows")["items"]] == [True]


def test_a_flow_shows_the_text_that_its_version_is_the_hash_of():
    house = House()
    mapped = SIGNED + '    inputs: {total: "${ trigger.body.total }"}\n'
    house.publish(mapped + "inputs:\n  total: {type: number}\n" + STEPS.replace("trigger.body", "inputs.total"))
    shown = conforms(get(house, "/shop"), "Flow")
    assert hashlib.sha256(shown["text"].encode()).hexdigest() == shown["version"]
    assert shown["inputs"] == {"total": {"type": "number"}}
    assert shown["document"]["flow"] == "shop"


def test_an_address_that_starts_executions_is_shown_to_those_who_may_start_them():
    house = House()
    published = house.publish(OPEN + STEPS)
    token = published["triggers"][0]["url"].rpartition("/")[2]
    assert token not in get(house, "/shop").body.decode()
    assert loaded(get(house, "/shop"))["triggers"][0]["url"] is None
    assert loaded(get(house, "/shop", role="operator"))["triggers"] == published["triggers"]


def test_versions_are_listed_newest_first_and_shown_by_their_beginning():
    house = House()
    first = house.publish(SIGNED + STEPS)["version"]
    house.clock.moment = house.clock.moment.replace(hour=9)
    second = house.publish(SIGNED + STEPS.replace("value", "other"))["version"]
    listed = conforms(get(house, "/shop/versions"), "Versions")["items"]
    assert [(each["version"], each["live"]) for each in listed] == [(second, True), (first, False)]
    shown = conforms(get(house, f"/shop/versions/{first[:9]}"), "Version")
    assert shown["version"] == first
    assert hashlib.sha256(shown["text"].encode()).hexdigest() == first
    refused(get(house, f"/shop/versions/{first[:3]}"), 404, "not_found")


def test_a_flow_that_is_not_published_is_not_found():
    house = House()
    for path in ("/none", "/none/versions", "/None", "/a%00"):
        refused(get(house, path), 404, "not_found")

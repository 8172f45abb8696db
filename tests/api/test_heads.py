"""What stands before the body: an address and headers within bounds, whoever sends them."""

import pytest

from chalicelib.api.content import MOST_ADDRESS, MOST_HEADER_BYTES, MOST_HEADERS
from tests.api.house import House, opened_hook, refused

PLACES = ["/api/v1/health", "/api/v1/flows", "/hooks/shop/placed", "/approvals/x", "/nowhere"]


@pytest.mark.parametrize("place", PLACES)
def test_an_address_that_is_too_long_is_refused_wherever_it_leads(place):
    house = House()
    for target in (f"{place}?q={'x' * MOST_ADDRESS}", f"{place}/{'x' * MOST_ADDRESS}"):
        refused(house.send("GET", target), 414, "address_too_long")
    assert house.is_up()


@pytest.mark.parametrize("place", PLACES)
def test_headers_that_are_too_large_or_too_many_are_refused_wherever_they_go(place):
    house = House()
    refused(house.send("GET", place, headers={"x-large": "x" * MOST_HEADER_BYTES}), 431, "headers_too_large")
    refused(house.send("GET", place, headers={f"x-{n}": "" for n in range(MOST_HEADERS + 1)}), 431, "headers_too_large")
    repeated = (("x-same", "1"),) * (MOST_HEADERS + 1)
    refused(house.send("GET", place, headers={"x-same": "1"}, raw_headers=repeated), 431, "headers_too_large")
    assert house.is_up()


def test_what_is_just_within_the_bounds_is_taken():
    house = House()
    path = opened_hook(house)
    query = "q=" + "x" * (MOST_ADDRESS - len(path) - 2)
    assert house.send("POST", f"{path}?{query}", {}).status == 202
    large = {"content-type": "application/json", "x-large": "x" * (MOST_HEADER_BYTES - 35)}
    assert house.send("POST", path, b"{}", headers=large).status == 202
    many = {f"x-{number}": "1" for number in range(MOST_HEADERS)}
    assert house.send("POST", path, b"", headers=many).status == 202


def test_no_header_is_repeated_in_the_refusal():
    answer = House().send("GET", "/api/v1/flows", headers={"authorization": "Bearer " + "secret" * 10_000})
    refused(answer, 431, "headers_too_large")
    assert b"secret" not in answer.body

"""The AWS half of the wiring: what its settings mean for what flows may call. Nothing is sent."""

import asyncio

import pytest

from chalicelib.errors import AddressRefusedError, HostNotListedError, OwnAddressError, PenstockError, SettingError
from chalicelib.ports import HttpRequest
from chalicelib.wiring_aws import on_aws

URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/live"
ENVIRONMENT = {
    "PENSTOCK_STAGE": "dev",
    "PENSTOCK_ACCOUNT": "123456789012",
    "PENSTOCK_URL": URL,
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "eu-central-1",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "PENSTOCK_ALLOW_PRIVATE": "127.0.0.1/32, 10.1.0.0/16",
    "PENSTOCK_ONLY_HOSTS": "10.1.0.7, 127.0.0.1:9001, *.amazonaws.com",
}


def refusal(url: str, **variables: str) -> type[PenstockError]:
    """What a flow's request ends in."""

    async def ask() -> PenstockError:
        house = await on_aws({**ENVIRONMENT, **variables})
        try:
            await house.tools.http.send(HttpRequest("GET", url, timeout_seconds=2))
        except PenstockError as error:
            return error
        raise AssertionError("it was sent")

    return type(asyncio.run(ask()))


def test_the_settings_of_a_deployment_hold_for_its_flows() -> None:
    assert refusal("https://example.com/") is HostNotListedError
    assert refusal("http://10.2.0.7/") is AddressRefusedError
    assert refusal("http://169.254.169.254/latest/meta-data/") is AddressRefusedError
    assert refusal("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next") is AddressRefusedError


def test_the_deployments_own_address_is_closed_unless_it_says_otherwise() -> None:
    assert refusal(f"{URL}/api/v1/flows") is OwnAddressError
    # Then the list of hosts has the word: what stops this one is no longer that it is our own.
    assert refusal(URL, PENSTOCK_ALLOW_OWN="1", PENSTOCK_ONLY_HOSTS="api.example") is HostNotListedError


def test_a_setting_that_cannot_be_read_stops_the_deployment_by_name() -> None:
    for variables in ({"PENSTOCK_ONLY_HOSTS": "https://x/"}, {"PENSTOCK_ALLOW_OWN": "perhaps"}):
        with pytest.raises(SettingError, match=next(iter(variables))):
            asyncio.run(on_aws({**ENVIRONMENT, **variables}))

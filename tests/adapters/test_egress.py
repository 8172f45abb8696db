"""The settings of what flows may call, as both worlds read them."""

import pytest

from chalicelib.adapters.egress import listed_hosts, policy_for_flows, words
from chalicelib.errors import AddressRefusedError, HostNotListedError, OwnAddressError, SettingError

OWN = ("https://flows.example",)


def policy(environment, **rest):
    return policy_for_flows(environment, OWN, **{"allow": (), **rest})


def test_without_settings_the_internet_is_open_and_nothing_else() -> None:
    plain = policy({})
    plain.check_url("https://example.com/")
    for refused in ("http://127.0.0.1/", "http://10.0.0.1/", "http://169.254.169.254/"):
        with pytest.raises(AddressRefusedError):
            plain.check_url(refused)
    with pytest.raises(OwnAddressError):
        plain.check_url("https://flows.example/api/v1/flows")


def test_a_deployment_that_does_not_know_its_address_yet_refuses_none_for_it() -> None:
    policy_for_flows({}, ("", ""), allow=()).check_url("https://flows.example/")


def test_networks_are_opened_one_by_one() -> None:
    opened = policy({}, allow=words("10.1.0.0/16, 127.0.0.1/32"))
    opened.check_url("http://10.1.2.3/")
    opened.check_url("http://127.0.0.1:8080/")
    with pytest.raises(AddressRefusedError):
        opened.check_url("http://10.2.0.1/")


@pytest.mark.parametrize("text", ["a.example,*.b.example", "a.example *.b.example", " a.example ,\n*.b.example, "])
def test_the_only_hosts_are_separated_by_commas_or_blanks(text: str) -> None:
    closed = policy({"PENSTOCK_ONLY_HOSTS": text})
    closed.check_url("https://a.example/")
    closed.check_url("https://x.b.example/")
    with pytest.raises(HostNotListedError):
        closed.check_url("https://b.example/")


def test_what_is_given_beside_the_environment_comes_first() -> None:
    closed = policy({"PENSTOCK_ONLY_HOSTS": "a.example"}, only_hosts=("b.example",))
    closed.check_url("https://b.example/")
    with pytest.raises(HostNotListedError):
        closed.check_url("https://a.example/")


def test_an_empty_list_is_none_and_one_that_names_nobody_is_refused() -> None:
    assert listed_hosts({}) == listed_hosts({"PENSTOCK_ONLY_HOSTS": ""}) == ()
    for text in (" ", ",", " , "):
        with pytest.raises(SettingError, match="names no host"):
            policy({"PENSTOCK_ONLY_HOSTS": text})


def test_the_own_address_opens_by_a_setting_alone() -> None:
    policy({"PENSTOCK_ALLOW_OWN": "1"}).check_url("https://flows.example/")
    for value in ("", "0", "false", "no"):
        with pytest.raises(OwnAddressError):
            policy({"PENSTOCK_ALLOW_OWN": value}).check_url("https://flows.example/")
    with pytest.raises(SettingError, match="PENSTOCK_ALLOW_OWN"):
        policy({"PENSTOCK_ALLOW_OWN": "maybe"})


def test_lambdas_runtime_stays_closed_whatever_is_open() -> None:
    variables = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "PENSTOCK_ALLOW_OWN": "1"}
    opened = policy(variables, allow=("127.0.0.0/8",))
    opened.check_url("http://127.0.0.1:9000/")
    for host in ("127.0.0.1", "127.1.2.3", "[::ffff:127.0.0.1]"):
        with pytest.raises(AddressRefusedError):
            opened.check_url(f"http://{host}:9001/2018-06-01/runtime/invocation/next")

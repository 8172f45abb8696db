"""The lists of hosts: the only ones that may be called, and the deployment's own."""

import asyncio

import pytest

from chalicelib.adapters.http import client_for_engine, client_for_flows
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.http_hosts import HostPattern
from chalicelib.adapters.http_url import read_url
from chalicelib.errors import AddressRefusedError, HostNotListedError, OwnAddressError, SettingError
from chalicelib.ports import HttpRequest
from tests.adapters.no_network import FRONT, PUBLIC, NoNetwork, Turning, here
from tests.stub import Stub

both = pytest.mark.parametrize("make", [client_for_flows, client_for_engine], ids=["flows", "engine"])


@pytest.mark.parametrize(
    ("pattern", "url", "is_held"),
    [
        ("api.example.com", "https://api.example.com/x", True),
        ("api.example.com", "http://api.example.com/", True),
        ("API.Example.com.", "https://api.example.com/", True),
        ("api.example.com", "https://api.example.com./", True),
        ("api.example.com", "https://API.EXAMPLE.COM/", True),
        ("api.example.com", "https://api.example.com:8443/", False),
        ("api.example.com", "https://x.api.example.com/", False),
        ("api.example.com", "https://example.com/", False),
        ("api.example.com", "https://api.example.com.evil.example/", False),
        ("api.example.com", "https://evilapi.example.com/", False),
        ("*.example.com", "https://a.example.com/", True),
        ("*.example.com", "https://a.b.example.com/", True),
        ("*.example.com", "https://a.example.com./", True),
        ("*.example.com", "https://example.com/", False),
        ("*.example.com", "https://evilexample.com/", False),
        ("*.example.com", "https://example.com.evil.example/", False),
        ("example.com:8443", "https://example.com:8443/", True),
        ("example.com:8443", "https://example.com/", False),
        ("*.example.com:8443", "https://a.example.com:8443/", True),
        ("*.example.com:443", "http://a.example.com/", False),
        ("192.0.2.1", "http://192.0.2.1/", True),
        ("192.0.2.1", "http://192.0.2.10/", False),
        ("[2001:db8::1]:8080", "http://[2001:0db8:0::1]:8080/", True),
        ("[2001:db8::1]", "http://[2001:db8::2]/", False),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        ("*.bücher.example", "https://a.bücher.example/", True),
    ],
)
def test_an_entry_means_one_host_or_all_below_one(pattern: str, url: str, is_held: bool) -> None:
    assert HostPattern.read(pattern).holds(read_url(url)) is is_held


@pytest.mark.parametrize(
    "entry",
    [
        *("", "*", "*.", "*example.com", "api.*.com", "*.*.example.com", "https://example.com", "example.com/x"),
        *("example.com:0", "example.com:x", "user@example.com", "exa mple.com", "2130706433", "0x7f.1"),
        *("[::1", "*.192.0.2.1", "*.[::1]", "a..b", ".example.com", "example.com:65536"),
    ],
)
def test_an_entry_that_is_no_host_is_a_wrong_setting_that_names_it(entry: str) -> None:
    with pytest.raises(SettingError, match="PENSTOCK_ONLY_HOSTS") as caught:
        EgressPolicy(only_hosts=("ok.example", entry))
    assert repr(entry) in caught.value.detail


def test_with_a_list_nothing_else_is_called_and_the_error_says_what_to_do() -> None:
    policy = EgressPolicy(only_hosts=("api.example.com", "*.hooks.example"))
    policy.check_url("https://api.example.com/x")
    with pytest.raises(HostNotListedError, match=r"other\.example:8443 is not among .* PENSTOCK_ONLY_HOSTS") as caught:
        policy.check_url("https://other.example:8443/secret?token=1")
    assert (caught.value.code, caught.value.status) == ("host_not_listed", 403)
    assert "secret" not in caught.value.detail


def test_an_empty_list_lets_nothing_out() -> None:
    with pytest.raises(HostNotListedError):
        EgressPolicy(only_hosts=()).check_url("https://example.com/")


def test_a_listed_host_is_no_permission_for_a_private_address_or_a_bad_port() -> None:
    policy = EgressPolicy(only_hosts=("10.0.0.1", "example.com:25", "169.254.169.254"))
    for url in ("http://10.0.0.1/", "http://169.254.169.254/", "http://example.com:25/"):
        with pytest.raises(AddressRefusedError):
            policy.check_url(url)
    EgressPolicy(("10.0.0.0/8",), only_hosts=("10.0.0.1",)).check_url("http://10.0.0.1/")


@both
def test_a_list_stops_a_request_before_the_look_up_and_a_listed_name_that_turns_private_at_the_socket(make) -> None:
    async def scene() -> None:
        loop = here()
        client = make(EgressPolicy(only_hosts=("a.example",)))
        loop.names |= {"a.example": Turning(["10.0.0.1"], ["10.0.0.1"]), "b.example": [PUBLIC]}
        with pytest.raises(HostNotListedError):
            await client.send(HttpRequest("GET", "http://b.example/"))
        assert loop.looked_up == []
        with pytest.raises(AddressRefusedError):
            await client.send(HttpRequest("GET", "http://a.example/"))
        assert (loop.looked_up, loop.connects) == (["a.example"], [])
        await client.close()

    with asyncio.Runner(loop_factory=NoNetwork) as runner:
        runner.run(scene())


# --- the deployment's own addresses


@pytest.mark.parametrize(
    ("own", "url", "is_own"),
    [
        (
            "https://abc.execute-api.eu-west-1.amazonaws.com/live",
            "https://abc.execute-api.eu-west-1.amazonaws.com/",
            True,
        ),
        ("https://flows.example", "https://flows.example/api/v1/flows", True),
        ("https://flows.example", "http://flows.example/hooks/x/y", True),
        ("https://flows.example", "https://FLOWS.example./", True),
        ("https://flows.example", "https://flows.example:8443/", False),
        ("https://flows.example", "https://other.example/", False),
        ("https://flows.example", "https://flows.example.org/", False),
        ("http://127.0.0.1:8700", "http://127.0.0.1:8700/", True),
        ("http://127.0.0.1:8700", "http://127.0.0.2:8700/", True),
        ("http://127.0.0.1:8700", "http://[::1]:8700/", True),
        ("http://127.0.0.1:8700", "http://0.0.0.0:8700/", True),
        ("http://127.0.0.1:8700", "http://[::ffff:127.0.0.1]:8700/", True),
        ("http://localhost:8700", "http://127.0.0.1:8700/", True),
        ("http://[::1]:8700", "http://127.0.0.1:8700/", True),
        ("http://127.0.0.1:8700", "http://127.0.0.1:8701/", False),
        ("http://192.168.1.5:8700", "http://192.168.1.5:8700/", True),
        ("http://192.168.1.5:8700", "http://192.168.1.6:8700/", False),
    ],
)
def test_the_deployments_own_address_is_refused_and_its_neighbours_are_not(own: str, url: str, is_own) -> None:
    networks = ("127.0.0.0/8", "::1/128", "0.0.0.0/32", "192.168.0.0/16")
    EgressPolicy(networks).check_url(url)
    policy = EgressPolicy(networks, own=(own,))
    if not is_own:
        policy.check_url(url)
        return
    with pytest.raises(OwnAddressError, match="own: true") as caught:
        policy.check_url(url)
    assert caught.value.code == "own_address"
    policy.check_url(url, to_own=True)


@both
def test_a_request_that_means_us_leaves_no_connection_behind_for_one_that_does_not(make) -> None:
    async def scene() -> None:
        loop = here()
        async with Stub() as stub:
            loop.front = ("127.0.0.1", stub.port)
            loop.names["alias.example"] = [FRONT]
            client = make(EgressPolicy(own=(f"http://{FRONT}",)))
            url = "http://alias.example/"
            for _ in range(2):
                assert (await client.send(HttpRequest("GET", url, to_own=True))).status == 200
            with pytest.raises(OwnAddressError):
                await client.send(HttpRequest("GET", url))
            assert (loop.connects, len(stub.requests)) == ([(FRONT, 80)], 2)
            await client.close()

    with asyncio.Runner(loop_factory=NoNetwork) as runner:
        runner.run(scene())


@both
def test_a_name_that_leads_to_our_own_port_is_refused_at_the_socket(make) -> None:
    async def scene() -> None:
        loop = here()
        client = make(EgressPolicy(("127.0.0.0/8",), own=("http://127.0.0.1:8700",)))
        loop.names["tunnel.example"] = ["127.0.0.1"]
        with pytest.raises(OwnAddressError):
            await client.send(HttpRequest("GET", "http://tunnel.example:8700/"))
        assert loop.connects == []
        await client.close()

    with asyncio.Runner(loop_factory=NoNetwork) as runner:
        runner.run(scene())


def test_what_stays_closed_is_refused_though_its_network_is_open() -> None:
    policy = EgressPolicy(("127.0.0.1/32",), closed=("http://127.0.0.1:9001",))
    policy.check_url("http://127.0.0.1:9000/")
    with pytest.raises(AddressRefusedError, match="platform's own"):
        policy.check_url("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next")
    with pytest.raises(AddressRefusedError, match="platform's own"):
        policy.check_address("127.0.0.1", 9001)  # what localhost:9001 comes to at the socket


def test_an_own_address_that_is_no_url_is_a_wrong_setting() -> None:
    with pytest.raises(SettingError, match="not a URL"):
        EgressPolicy(own=("flows.example",))

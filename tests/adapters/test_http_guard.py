"""The egress policy: what it says about addresses and URLs, before any connection."""
# ruff: noqa: RUF001  the corpus is made of characters that look alike

import random
import socket
from urllib.parse import urlsplit

import pytest
from yarl import URL

from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.http_url import read_url
from chalicelib.errors import AddressRefusedError, SettingError

REFUSED_ADDRESSES = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.1.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "2620:4f:8000::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "::1%lo",
    "fec0::1",
    "ff02::1",
    "2606:4700::1111%1",
]
PUBLIC_ADDRESSES = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.15.0.1",
    "172.32.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        EgressPolicy().check_address(address, 443)


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_a_public_address_is_allowed(address: str) -> None:
    EgressPolicy().check_address(address, 443)


@pytest.mark.parametrize(
    "text", ["localhost", "", "127.1", "0x7f000001", "2130706433", "١٢٧.٠.٠.١", "１２７.0.0.1", "01.1.1.1"]
)
def test_what_is_not_an_address_is_refused_at_the_socket(text: str) -> None:
    with pytest.raises(AddressRefusedError, match="not an IP address"):
        EgressPolicy(("0.0.0.0/0",)).check_address(text, 443)


def test_the_configuration_opens_exactly_what_it_names() -> None:
    policy = EgressPolicy(("127.0.0.1/32", "10.1.0.0/16"))
    policy.check_address("127.0.0.1", 8080)
    policy.check_address("::ffff:127.0.0.1", 8080)  # the same address in the other family
    policy.check_address("10.1.2.3", 8080)
    for address in ("127.0.0.2", "10.2.0.1", "::1", "64:ff9b::7f00:1", "2002:7f00:1::"):
        with pytest.raises(AddressRefusedError):
            policy.check_address(address, 8080)


def test_an_open_range_never_holds_a_service_that_hands_out_credentials() -> None:
    wide = EgressPolicy(("0.0.0.0/0", "::/0"))
    wide.check_address("169.254.1.1", 80)
    wide.check_address("fd00:1::1", 80)
    metadata = ["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "169.254.42.42"]
    metadata += ["fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fe80::a9fe:a9fe", "::ffff:a9fe:a9fe"]
    metadata += ["64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::1"]
    metadata += [
        "::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
        "2001:470::5efe:a9fe:a9fe",
        "2001:0:a9fe:a9fe::",
        "64:ff9b:1:a9:fe:a9fe::",
    ]
    metadata += ["2001:0:1:1:0:ffff:5601:5601", "64:ff9b:1::a9:fea9:fe00:0"]
    for address in metadata:
        with pytest.raises(AddressRefusedError):
            wide.check_address(address, 80)
    EgressPolicy(("169.254.169.254/32",)).check_address("169.254.169.254", 80)
    EgressPolicy(("169.254.169.254/32",)).check_address("::ffff:169.254.169.254", 80)
    EgressPolicy(("fd00:ec2::254/128",)).check_address("fd00:ec2::254", 80)
    with pytest.raises(AddressRefusedError):
        EgressPolicy(("169.254.169.254/32",)).check_address("64:ff9b::a9fe:a9fe", 80)


def test_an_address_with_a_scope_gets_no_socket() -> None:
    info = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:4700::1111", 80, 0, 2))
    with pytest.raises(AddressRefusedError, match="scope"):
        EgressPolicy().open_socket(info)


def test_an_endpoint_of_the_engine_that_is_no_url_is_a_wrong_setting() -> None:
    with pytest.raises(SettingError):
        EgressPolicy.for_engine(["http://[::1"])


def test_a_url_that_is_too_long_is_refused() -> None:
    assert read_url("http://h/" + "x" * 60_000).host == "h"
    with pytest.raises(AddressRefusedError, match="65536 characters"):
        read_url("http://h/" + "x" * 70_000)


def test_a_network_that_is_none_is_a_wrong_setting() -> None:
    for entry in ("localhost", "127.0.0.1/33", "10.0.0.1/8"):
        with pytest.raises(SettingError):
            EgressPolicy((entry,))


def test_the_engine_reaches_private_networks_but_loopback_and_metadata_only_when_configured() -> None:
    plain = EgressPolicy.for_engine()
    plain.check_address("10.0.0.5", 443)
    plain.check_address("52.94.0.1", 443)
    for address in ("127.0.0.1", "::1", "169.254.169.254", "fd00:ec2::254"):
        with pytest.raises(AddressRefusedError):
            plain.check_address(address, 443)
    EgressPolicy.for_engine(["http://127.0.0.1:4566"]).check_address("127.0.0.1", 4566)
    EgressPolicy.for_engine(["http://localhost:4566"]).check_address("::1", 4566)
    with pytest.raises(AddressRefusedError):
        EgressPolicy.for_engine(["http://127.0.0.1:4566"]).check_address("127.0.0.2", 4566)


def test_ports_of_other_services_are_refused() -> None:
    for port in (22, 25, 465, 6000, 6667):
        with pytest.raises(AddressRefusedError, match="Port"):
            EgressPolicy().check_address("1.1.1.1", port)
    EgressPolicy().check_address("1.1.1.1", 8443)
    only = EgressPolicy(ports=frozenset({443}))
    only.check_url("https://example.com/")
    with pytest.raises(AddressRefusedError):
        only.check_url("https://example.com:8443/")
    with pytest.raises(AddressRefusedError):
        only.check_url("http://example.com/")


def test_no_socket_is_made_for_a_refused_address() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    with pytest.raises(AddressRefusedError):
        EgressPolicy().open_socket(info)
    opened = EgressPolicy(("127.0.0.0/8",)).open_socket(info)
    assert opened.family == socket.AF_INET
    opened.close()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "example.com/path",
        "//example.com/",
        "http:/example.com",
        "http://",
        "http:///path",
        "https://user:secret@example.com/",
        "https://@example.com/",
        "https://example.com@127.0.0.1/",
        "http://exa mple.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:80x/",
        "http://example.com:-1/",
        "http://example.com:８０/",
        "http://127%2e0.0.1/",
        "http://[::1%25lo]/",
        "http://[fe80::1%lo]/",
        "http://[::1/",
        "http://[127.0.0.1]/",
        "http://::1/",
        "http://[::1]x/",
        "http://a..b/",
        "http://.example.com/",
        "http://example.com/\r\nHost: other",
        "http://example.com/\x00",
        "http://exam\tple.com/",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://ⓛocalhost/",
        "http://example.com/\ud800",
    ],
)
def test_a_url_that_cannot_be_trusted_is_refused(url: str) -> None:
    with pytest.raises(AddressRefusedError) as caught:
        EgressPolicy(("0.0.0.0/0", "::/0")).check_url(url)
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "1.2.3.4.5",
        "127.0.0.1.1",
        "1",
        "0x",
    ],
)
def test_an_odd_spelling_of_an_address_is_refused_by_name(host: str) -> None:
    with pytest.raises(AddressRefusedError, match="odd spelling"):
        EgressPolicy().check_url(f"http://{host}/")


def test_the_target_keeps_its_bytes() -> None:
    for target in ["/%7e/%2f/a/../b//c?q=%2F+|&r=%3b;'\"<>", "/", "/?x", "/a;b=%3B", "/%zz\\x", "/@x:y"]:
        assert read_url("http://h" + target).target == target


def test_what_cannot_stand_in_a_target_is_percent_encoded_and_the_fragment_stays_here() -> None:
    assert read_url("http://h/a b?q=ü€#part").target == "/a%20b?q=%C3%BC%E2%82%AC"
    assert read_url("http://h?x=1").target == "/?x=1"
    assert read_url("http://h#part").target == "/"


def test_whatever_is_read_is_read_alike_by_the_library_that_sends_it() -> None:
    """A URL that two readers take for two hosts passes one's check and calls the other's: 40,000 odd ones, by seed."""
    chance = random.Random(20261120)
    pieces = [
        "example",
        "127.0.0.1",
        "::1",
        "[::1]",
        "1",
        "0x7f",
        "localhost",
        "ü",
        "。",
        "xn--bcher-kva",
        ".",
        ".",
        ":",
    ]
    pieces += [
        "80",
        "@",
        "/",
        "\\",
        "?",
        "#",
        "%",
        "%2e",
        "%40",
        ";",
        "&",
        "[",
        "]",
        " ",
        "\t",
        "_",
        "-",
        "//",
        "..",
        "ı",
    ]
    read = 0
    for _ in range(40_000):
        url = "http://" + "".join(chance.choices(pieces, k=chance.randint(1, 6)))
        try:
            origin = read_url(url)
        except AddressRefusedError:
            continue
        read += 1
        written = f"{origin.scheme}://{origin.authority}{origin.target}"
        for host, port in (
            (urlsplit(written).hostname, urlsplit(written).port),
            (URL(written, encoded=True).raw_host, URL(written, encoded=True).explicit_port),
        ):
            assert (host, port or 80) == (origin.host, origin.port), url
        assert read_url(written) == origin
    assert read > 2_000


def test_hosts_are_read_as_they_will_be_called() -> None:
    origin = read_url("HTTPS://EXAMPLE.com:8443/")
    assert (origin.scheme, origin.host, origin.port, origin.authority) == (
        "https",
        "example.com",
        8443,
        "example.com:8443",
    )
    assert read_url("https://example.com:443/").authority == "example.com"
    assert read_url("http://[2606:4700::1111]:8080/").authority == "[2606:4700::1111]:8080"
    assert read_url("https://bücher.example/").host == "xn--bcher-kva.example"
    assert read_url("http://my_host-1.internal./").host == "my_host-1.internal."

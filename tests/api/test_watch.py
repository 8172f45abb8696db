"""The settings of rates, proxies and the audit log, and whose word counts for where a request comes from."""

import pytest

from chalicelib.api.request import Request
from chalicelib.api.watch import SETTINGS, UNWATCHED, Watch, bucket_of, peer_of, watch_from
from chalicelib.errors import SettingError
from chalicelib.kit.rates import Rate

PROXIED = Watch(trusted_proxies=("10.0.0.0/8", "2001:db8::/32"))


def request(peer, forwarded=None, *more):
    lines = [("x-forwarded-for", each) for each in (forwarded, *more) if each is not None]
    return Request("GET", "/", (), dict(reversed(lines)), b"", 0, peer, tuple(lines))


def test_nothing_is_set_by_default():
    assert watch_from({}) == watch_from(dict.fromkeys(SETTINGS, "")) == UNWATCHED == Watch(audit_days=365)


def test_every_setting_is_read():
    values = ("10/second", "100/minute", "1000/hour", "10.0.0.0/8, 192.0.2.1 2001:db8::/32", "90")
    assert watch_from(dict(zip(SETTINGS, values, strict=True))) == Watch(
        Rate(10, 1), Rate(100, 60), Rate(1000, 3600), ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"), 90
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in SETTINGS[:3] for value in ("10", "0/minute", "ten/minute")],
        *[("PENSTOCK_TRUSTED_PROXIES", value) for value in ("proxy.example", "10.0.0.1/8", "10.0.0.0/33", "*")],
        *[("PENSTOCK_AUDIT_DAYS", value) for value in ("0", "-1", "ever", "3661", "1.5", "٣")],
    ],
)
def test_a_setting_that_cannot_be_read_is_named(name, value):
    with pytest.raises(SettingError, match=name):
        watch_from({name: value})


def test_what_a_stranger_says_of_himself_does_not_count():
    assert peer_of(request("203.0.113.9", "192.0.2.1"), UNWATCHED) == "203.0.113.9"
    assert peer_of(request("203.0.113.9", "192.0.2.1"), PROXIED) == "203.0.113.9"


def test_behind_trusted_proxies_the_first_address_that_is_none_of_them_counts():
    assert peer_of(request("10.0.0.1", "203.0.113.9"), PROXIED) == "203.0.113.9"
    assert peer_of(request("10.0.0.1", "192.0.2.1, 203.0.113.9, 10.9.9.9"), PROXIED) == "203.0.113.9"
    assert peer_of(request("10.0.0.1", "192.0.2.1", "203.0.113.9", "2001:db8::7"), PROXIED) == "203.0.113.9"


@pytest.mark.parametrize("forwarded", [None, "", "nonsense", "203.0.113.9:80", "unknown, 10.0.0.300", "10.0.0.2,,"])
def test_where_a_proxy_says_nothing_that_can_be_read_its_own_address_counts(forwarded):
    assert peer_of(request("10.0.0.1", forwarded), PROXIED) in {"10.0.0.1", "10.0.0.2"}


def test_addresses_share_a_bucket_as_their_owners_do():
    assert bucket_of("192.0.2.1") == "192.0.2.1"
    assert bucket_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert bucket_of("2001:db8:1:2:3:4:5:6") == bucket_of("2001:db8:1:2::1%eth0") == "2001:db8:1:2::/64"
    assert bucket_of("not:an:address") == "not:an:address"
    assert bucket_of("") == ""

"""How closely this deployment watches its callers: rates, whose word counts for an address, how long it is kept."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from chalicelib.api.request import Request
from chalicelib.errors import SettingError
from chalicelib.kit.rates import Rate, parse_rate

SETTINGS: Final = (
    "PENSTOCK_HOOK_RATE",
    "PENSTOCK_PEER_RATE",
    "PENSTOCK_KEY_RATE",
    "PENSTOCK_TRUSTED_PROXIES",
    "PENSTOCK_AUDIT_DAYS",
)
_LONGEST_DAYS: Final = 3_660


class Watch(NamedTuple):
    """What the settings say.

    Attributes:
        hook_rate: deliveries that one hook lets in, where its trigger has no rate; None: any number.
        peer_rate: deliveries from one address to one hook, good or bad; None: any number.
        key_rate: requests with one key, where the key has no rate of its own; None: any number.
        trusted_proxies: networks whose word in X-Forwarded-For counts.
        audit_days: how long an entry of the audit log is kept.
    """

    hook_rate: Rate | None = None
    peer_rate: Rate | None = None
    key_rate: Rate | None = None
    trusted_proxies: tuple[str, ...] = ()
    audit_days: int = 365


UNWATCHED: Final = Watch()
"""As it is where nothing is set."""


def watch_from(environment: Mapping[str, str]) -> Watch:
    """What the environment says; raises SettingError naming the setting that cannot be read."""
    days = environment.get("PENSTOCK_AUDIT_DAYS", "") or "365"
    if not (days.isascii() and days.isdecimal() and 1 <= int(days[:9]) <= _LONGEST_DAYS):
        raise SettingError(f"PENSTOCK_AUDIT_DAYS is a number of days from 1 to {_LONGEST_DAYS:,}.")
    return Watch(
        _rate(environment, "PENSTOCK_HOOK_RATE"),
        _rate(environment, "PENSTOCK_PEER_RATE"),
        _rate(environment, "PENSTOCK_KEY_RATE"),
        _networks(environment.get("PENSTOCK_TRUSTED_PROXIES", "")),
        int(days),
    )


def _rate(environment: Mapping[str, str], name: str) -> Rate | None:
    text = environment.get(name, "").strip()
    try:
        return parse_rate(text) if text else None
    except ValueError as error:
        raise SettingError(f"{name} {error}.") from error


def _networks(text: str) -> tuple[str, ...]:
    names = text.replace(",", " ").split()
    if not names:
        return ()
    import ipaddress  # imported late: few deployments stand behind a proxy of their own

    try:
        return tuple(str(ipaddress.ip_network(name)) for name in names)
    except ValueError as error:
        raise SettingError(f"PENSTOCK_TRUSTED_PROXIES lists networks such as 10.0.0.0/8: {error}.") from error


def peer_of(request: Request, watch: Watch) -> str:
    """The address a request comes from: the host's word, or beyond trusted proxies theirs.

    X-Forwarded-For is read from its end: each entry is the word of the one behind it, and the first address that is
    no trusted proxy is the sender's. What stands before that is the sender's own invention.
    """
    if not watch.trusted_proxies or not request.peer:
        return request.peer[:64]
    import ipaddress

    trusted = [ipaddress.ip_network(each) for each in watch.trusted_proxies]
    lines = [value for name, value in request.raw_headers if name == "x-forwarded-for"]
    chain = [each.strip() for each in ",".join(lines or [request.headers.get("x-forwarded-for", "")]).split(",")]
    peer = request.peer
    for claimed in [request.peer, *reversed(chain)]:
        try:
            address = ipaddress.ip_address(claimed)
        except ValueError:
            break
        peer = str(address)
        if not any(address in network for network in trusted):
            break
    return peer[:64]


def bucket_of(peer: str) -> str:
    """What an address shares its bucket with: of IPv6 the network of 64 bits, which is one customer's (RFC 6177)."""
    if ":" not in peer:
        return peer
    import ipaddress

    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))

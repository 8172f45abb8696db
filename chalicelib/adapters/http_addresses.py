"""Which addresses are public: our own table, since Python's differs between its versions and lets several through.

The table is that of IANA's special-purpose registries (iana-ipv4-special-registry, iana-ipv6-special-registry: RFC 6890
and after), multicast, and the metadata services of the clouds, wherever they lie.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word) for word in text.split())


# With multicast, the reserved top, and 168.63.129.16, the metadata address of Azure, which lies in public space.
_DENIED_4 = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 "
    "198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
)
# In IPv6 only global unicast space is public (RFC 4291 2.4); the rest is refused without being listed.
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_DENIED_6 = _networks("2001::/23 2001:db8::/32 2620:4f:8000::/48 3fff::/20")

# Forms of IPv6 that carry an IPv4 address, to which a gateway or the system itself sends on.
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291 2.5.5.1
_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")  # RFC 2765 2.1
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 2.1
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")  # RFC 5214 6.1: the first half of the interface identifier

# These hand out credentials to whoever asks: AWS (instances, ECS, EKS), Azure, Alibaba, Oracle, Tencent, Scaleway,
# Google, OpenStack. No range that a deployment opens includes them by accident.
_METADATA = _networks(
    "169.254.169.254/32 169.254.170.2/32 169.254.170.23/32 168.63.129.16/32 100.100.100.200/32 192.0.0.192/32 "
    "169.254.0.23/32 169.254.42.42/32 fd00:ec2::/32 fd20:ce::254/128 fd00:c1::a9fe:a9fe/128 fd00:42::42/128 "
    "fe80::a9fe:a9fe/128"
)


def read_address(text: str) -> Address | None:
    """The address that a text is, or None: only the plain spellings, four decimal numbers or an IPv6 address."""
    if not text.isascii():
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def unmapped(address: Address) -> Address:
    """The IPv4 address where this is one in the other family (`::ffff:192.0.2.1`), else the address itself."""
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def is_public(address: Address) -> bool:
    """Whether anybody may call it; an IPv6 address that leads to an IPv4 address is as public as that one."""
    if isinstance(address, ipaddress.IPv4Address):
        return not is_in(address, _DENIED_4)
    if address not in _NAT64 and (address not in _PUBLIC_6 or is_in(address, _DENIED_6)):
        return False
    return all(is_public(one) for one in _carried(address))


def is_metadata(address: Address) -> bool:
    """Whether it is, or leads to, a service that hands out credentials."""
    carried = _carried(address) if isinstance(address, ipaddress.IPv6Address) else ()
    return any(is_in(one, _METADATA) for one in (address, *carried))


def is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks if network.version == address.version)


def _carried(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may lead to."""
    octets = address.packed
    found: list[bytes] = []
    if address.sixtofour is not None:  # RFC 3056
        found.append(octets[2:6])
    if address.teredo is not None:  # RFC 4380: the server, and the client with its bits turned
        found += [octets[4:8], bytes(octet ^ 0xFF for octet in octets[12:])]
    if any(address in network for network in (_COMPATIBLE, _TRANSLATED, _NAT64, _LOCAL_NAT64)):
        found.append(octets[12:])
    if address in _LOCAL_NAT64:  # RFC 6052 2.2: after a prefix of 48, 56 or 64 bits, around an octet of zeros
        around = octets[:8] + octets[9:]
        found += [around[start : start + 4] for start in (6, 7, 8)]
    if octets[8:12] in _ISATAP:
        found.append(octets[12:])
    return [ipaddress.IPv4Address(each) for each in found]

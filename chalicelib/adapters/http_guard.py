"""Which addresses may be called: one policy, asked for the URL first and for the socket's own address last.

What counts is the socket: `EgressPolicy.open_socket` is handed the very address that `connect` gets next, whatever
spelling, name, redirect or second look-up led there, and refuses what is not plainly a public address. Reading the URL
first only gives better messages and keeps odd spellings away from the resolver.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chalicelib.errors import AddressRefusedError, SettingError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# What getaddrinfo finds: family, kind, protocol, canonical name, socket address.
AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word) for word in text.split())


# IANA's special-purpose registries (IPv4: RFC 6890 and after), multicast and the reserved top, and 168.63.129.16, the
# metadata address of Azure, which lies in public space. `ipaddress.is_global` lets several of these through.
_DENIED_4 = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 "
    "198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
)
# In IPv6 only global unicast space is public (RFC 4291 2.4); the rest is refused without being listed.
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_DENIED_6 = _networks("2001::/23 2001:db8::/32 2620:4f:8000::/48 3fff::/20")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# Networks in which a deployment's own endpoints may stand: private clouds, never loopback or metadata.
_OWN_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_METADATA_6 = ipaddress.IPv6Network("fd00:ec2::/32")

# "Bad ports" of the Fetch standard (fetch.spec.whatwg.org, 2.9): services that mistake HTTP for their own protocol.
_BAD_PORTS = frozenset(
    int(port)
    for port in re.findall(
        r"\d+",
        "0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 "
        "115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 "
        "563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 "
        "6667 6668 6669 6679 6697 10080",
    )
)
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_ADVICE = "The deployment's configuration decides which private addresses may be called"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a URL leads: `host` in lower-case ASCII (an IPv6 address without brackets) and the exact request target."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The host as a Host header says it: with the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.scheme) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Says which addresses and ports may be connected to.

    `allow` lists networks such as `127.0.0.1/32` that the deployment opens besides the public internet. `ports` lists
    the only ports allowed; without it every port is, except those of services that HTTP must not be sent to.
    """

    allow: tuple[str, ...] = ()
    ports: frozenset[int] | None = None
    _allowed: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the networks once.

        Raises:
            SettingError: an entry of `allow` is not a network.
        """
        try:
            allowed = tuple(ipaddress.ip_network(entry) for entry in self.allow)
        except ValueError as error:
            raise SettingError(f"An allowed network is not one ({error}). Write it like 127.0.0.1/32.") from error
        object.__setattr__(self, "_allowed", allowed)

    @classmethod
    def for_engine(cls, endpoints: Iterable[str] = ()) -> "EgressPolicy":
        """The policy of the engine's own calls to its cloud, whose addresses no flow can influence.

        Private networks are open, since a VPC endpoint answers there; loopback and link-local addresses only where the
        deployment's configuration names one of them as an endpoint (URLs of `AWS_ENDPOINT_URL` and the like).
        """
        allow: list[str] = list(_OWN_NETWORKS)
        for endpoint in endpoints:
            host = (urlsplit(endpoint).hostname or "").rstrip(".")
            if host == "localhost" or host.endswith(".localhost"):
                allow += ["127.0.0.0/8", "::1/128"]
            elif (address := _read_address(host)) is not None:
                allow.append(f"{address}/{address.max_prefixlen}")
        return cls(tuple(allow))

    def check_address(self, host: str, port: int) -> None:
        """Refuse an address, always a number and never a name, that may not be connected to.

        Raises:
            AddressRefusedError: also for what does not parse as an address, since the system would look that up again.
        """
        address = _read_address(host)
        if address is None:
            raise AddressRefusedError(f"{host!r} is not an IP address. Nothing was sent.")
        if not self._is_open(address):
            raise AddressRefusedError(f"The address {host} may not be called: it is not public. {_ADVICE}.")
        self.check_port(port)

    def check_port(self, port: int) -> None:
        """Refuse a port that may not be connected to.

        Raises:
            AddressRefusedError: the port is not among the allowed ones, or belongs to a service that is not HTTP.
        """
        if port in _BAD_PORTS if self.ports is None else port not in self.ports:
            raise AddressRefusedError(f"Port {port} may not be called. Use the service's HTTP port.")

    def check_url(self, url: str) -> Origin:
        """Read a URL and refuse what can be refused without a look-up: scheme, user name, host's spelling, port.

        Raises:
            AddressRefusedError: the message says which part; the URL's path and query are never repeated in it.
        """
        origin = read_url(url)
        address = _read_address(origin.host)
        if address is None:
            self.check_port(origin.port)
        else:
            self.check_address(origin.host, origin.port)
        return origin

    def open_socket(self, info: AddressInfo) -> socket.socket:
        """Make the socket for one resolved address; aiohttp's `socket_factory`.

        Raises:
            AddressRefusedError: the address may not be connected to; no socket was made.
        """
        family, kind, protocol, _, address = info
        self.check_address(str(address[0]), int(address[1]))  # a host that is no text is refused as no address
        return socket.socket(family, kind, protocol)

    def _is_open(self, address: Address) -> bool:
        if isinstance(address, ipaddress.IPv6Address):
            if address.scope_id is not None:
                return False
            if address.ipv4_mapped is not None:
                address = address.ipv4_mapped
        if any(address in network for network in self._allowed if network.version == address.version):
            # Metadata answers with credentials: an opened private range never includes it by accident.
            return address not in _METADATA_6 or f"{address}/128" in self.allow
        return _is_public(address)


def read_url(url: str) -> Origin:
    """Split an http or https URL; the target keeps its bytes, but for blanks and non-ASCII, which are percent-encoded.

    Raises:
        AddressRefusedError: it is not a URL that can be called; the message says why.
    """
    if any(character <= "\x1f" or character == "\x7f" for character in url):
        raise AddressRefusedError("The URL contains a control character. Percent-encode it.")
    scheme, found, rest = url.partition("://")
    scheme = scheme.lower()
    if not found or scheme not in ("http", "https"):
        raise AddressRefusedError("Only http:// and https:// URLs can be called. Write the URL out with its scheme.")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:].partition("#")[0]
    if "@" in authority:
        raise AddressRefusedError("The URL contains a user name or password. Use a credential instead.")
    host, port = _split_authority(authority)
    if not target.startswith("/"):
        target = "/" + target
    return Origin(scheme, _read_host(host), port or _default_port(scheme), _encode_target(target))


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _split_authority(authority: str) -> tuple[str, int]:
    if authority.startswith("["):
        host, found, tail = authority[1:].partition("]")
        if not found or ":" not in host or (tail and not tail.startswith(":")):
            raise AddressRefusedError("The URL's host is not readable. Write an IPv6 address as [::1].")
        digits = tail[1:]
    else:
        host, _, digits = authority.partition(":")
    if not digits:
        return host, 0
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 0 < int(digits) < 65536):
        raise AddressRefusedError("The URL's port is not a number from 1 to 65535.")
    return host, int(digits)


def _read_host(host: str) -> str:
    if ":" in host:
        # An address with a scope (fe80::1%eth0) names a network card of this machine.
        if "%" in host or _read_address(host) is None:
            raise AddressRefusedError("The URL's host is not an IPv6 address that can be called.")
        return host.lower()
    is_plain = host.isascii()
    host = host.lower() if is_plain else _encode_host(host)
    name = host.removesuffix(".")
    if not name or not set(name) <= _HOST_CHARACTERS or ".." in name or name.startswith(".") or len(name) > 253:
        raise AddressRefusedError("The URL's host is not a host name. Check its spelling.")
    last = name.rpartition(".")[2]
    looks_numeric = last.isdigit() or last.startswith("0x")
    if looks_numeric and not (is_plain and _read_address(name)):
        raise AddressRefusedError(
            f"{host} is an odd spelling of an address. Write four plain numbers, as in 192.0.2.1."
        )
    return name if looks_numeric else host


def _encode_host(host: str) -> str:
    import idna

    try:
        return idna.encode(host, uts46=False).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressRefusedError("The URL's host is not a valid international host name.") from error


def _encode_target(target: str) -> str:
    if target.isascii() and " " not in target:
        return target
    try:
        return "".join(
            c if "\x20" < c < "\x7f" else "".join(f"%{byte:02X}" for byte in c.encode("utf-8")) for c in target
        )
    except UnicodeEncodeError as error:
        raise AddressRefusedError("The URL contains half a character (a lone surrogate). Mend the text.") from error


def _read_address(host: str) -> Address | None:
    if not host.isascii():
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _DENIED_4)
    embedded = address.sixtofour
    if address in _NAT64:
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    elif address not in _PUBLIC_6 or any(address in network for network in _DENIED_6):
        return False
    return embedded is None or _is_public(embedded)

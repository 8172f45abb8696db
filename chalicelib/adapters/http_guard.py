"""Which addresses may be called: one policy, asked for the URL first and for the socket's own address last.

What counts is the socket: `EgressPolicy.open_socket` is handed the very address that `connect` gets next, whatever
spelling, name, redirect or second look-up led there, and refuses what is not plainly a public address. Reading the URL
first gives better messages, keeps odd spellings away from the resolver, and holds what only a name can say: the hosts
that a deployment has listed, and those that are its own.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chalicelib.adapters.http_addresses import (
    Address,
    Network,
    is_in,
    is_metadata,
    is_public,
    read_address,
    unmapped,
)
from chalicelib.adapters.http_hosts import HostPattern, OwnAddresses
from chalicelib.adapters.http_url import Origin, read_url
from chalicelib.errors import AddressRefusedError, HostNotListedError, OwnAddressError, SettingError

# What getaddrinfo finds: family, kind, protocol, canonical name, socket address.
AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]

# Networks in which a deployment's own endpoints may stand: private clouds, never loopback or metadata.
_OWN_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")

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
_ADVICE = "The deployment's configuration decides which private addresses may be called"


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Says which addresses, hosts and ports may be connected to.

    `allow` lists networks such as `127.0.0.1/32` that the deployment opens besides the public internet; a service that
    hands out a cloud's credentials is opened only by its very address, never by a range around it. `ports` lists the
    only ports allowed; without it every port is, except those of services that HTTP must not be sent to. `only_hosts`
    lists the only hosts allowed (see `HostPattern`); None: any. `own` are the deployment's own base URLs, refused but
    to requests that mean them (`to_own`); `closed` are base URLs of services beside it that stay closed, even in a
    network that is open.
    """

    allow: tuple[str, ...] = ()
    ports: frozenset[int] | None = None
    only_hosts: tuple[str, ...] | None = None
    own: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    _allowed: tuple[Network, ...] = field(init=False, repr=False, compare=False)
    _listed: tuple[HostPattern, ...] = field(init=False, repr=False, compare=False)
    _own: OwnAddresses = field(init=False, repr=False, compare=False)
    _closed: OwnAddresses = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the lists once.

        Raises:
            SettingError: an entry is not what its list holds.
        """
        try:
            allowed = tuple(ipaddress.ip_network(entry) for entry in self.allow)
        except ValueError as error:
            raise SettingError(
                f"PENSTOCK_ALLOW_PRIVATE (or --allow-private): a network is none: {error}. Write it like 127.0.0.1/32."
            ) from error
        object.__setattr__(self, "_allowed", allowed)
        object.__setattr__(self, "_listed", tuple(HostPattern.read(each) for each in self.only_hosts or ()))
        object.__setattr__(self, "_own", OwnAddresses.read(self.own))
        object.__setattr__(self, "_closed", OwnAddresses.read(self.closed))

    @classmethod
    def for_engine(cls, endpoints: Iterable[str] = ()) -> "EgressPolicy":
        """The policy of the engine's own calls to its cloud, whose addresses no flow can influence.

        Private networks are open, since a VPC endpoint answers there; loopback and link-local addresses only where the
        deployment's configuration names one of them as an endpoint (URLs of `AWS_ENDPOINT_URL` and the like).

        Raises:
            SettingError: an endpoint is no URL.
        """
        allow: list[str] = list(_OWN_NETWORKS)
        for endpoint in endpoints:
            try:
                host = (urlsplit(endpoint).hostname or "").rstrip(".")
            except ValueError as error:
                raise SettingError(f"The endpoint {endpoint!r} is not a URL: {error}.") from error
            if host == "localhost" or host.endswith(".localhost"):
                allow += ["127.0.0.0/8", "::1/128"]
            elif (address := read_address(host)) is not None:
                allow.append(f"{address}/{address.max_prefixlen}")
        return cls(tuple(allow))

    def check_address(self, host: str, port: int, *, to_own: bool = False) -> None:
        """Refuse an address, always a number and never a name, that may not be connected to.

        Raises:
            AddressRefusedError: also for what does not parse as an address, since the system would look that up again.
            OwnAddressError: the deployment itself answers there.
        """
        address = read_address(host)
        if address is None:
            raise AddressRefusedError(f"{host!r} is not an IP address. Nothing was sent.")
        if self._closed.has_address(address, port):
            raise AddressRefusedError(f"The address {host} port {port} may not be called: it is the platform's own.")
        if not to_own and self._own.has_address(address, port):
            raise OwnAddressError
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

    def check_url(self, url: str, *, to_own: bool = False) -> Origin:
        """Read a URL and refuse what can be refused without a look-up: scheme, user name, host, port.

        Raises:
            AddressRefusedError: the message says which part; the URL's path and query are never repeated in it.
            OwnAddressError: it is the deployment's own address.
            HostNotListedError: the deployment lists the hosts that may be called, and this is none of them.
        """
        origin = read_url(url)
        if not to_own and self._own.has_name(origin):
            raise OwnAddressError
        if self._closed.has_name(origin):
            raise AddressRefusedError(f"{origin.authority} may not be called: it is the platform's own.")
        if read_address(origin.host) is None:
            self.check_port(origin.port)
        else:
            self.check_address(origin.host, origin.port, to_own=to_own)
        if self.only_hosts is not None and not any(pattern.holds(origin) for pattern in self._listed):
            raise HostNotListedError(
                f"{origin.authority} is not among the hosts that flows of this deployment may call. Mend the URL, or "
                "add the host to the deployment's PENSTOCK_ONLY_HOSTS."
            )
        return origin

    def open_socket(self, info: AddressInfo, *, to_own: bool = False) -> socket.socket:
        """Make the socket for one resolved address; aiohttp's `socket_factory`.

        Raises:
            AddressRefusedError, OwnAddressError: the address may not be connected to; no socket was made.
        """
        family, kind, protocol, _, address = info
        if len(address) == 4 and address[3]:
            raise AddressRefusedError("An address with a scope names a network card of this machine. Nothing was sent.")
        # A host that is no text is refused as no address.
        self.check_address(str(address[0]), int(address[1]), to_own=to_own)
        return socket.socket(family, kind, protocol)

    def _is_open(self, address: Address) -> bool:
        if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
            return False
        address = unmapped(address)
        if is_metadata(address):
            return any(network.num_addresses == 1 and address in network for network in self._allowed)
        return is_in(address, self._allowed) or is_public(address)

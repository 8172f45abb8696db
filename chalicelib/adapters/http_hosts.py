"""Lists of hosts that a deployment writes: the only ones that flows may call, and those that are its own."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.adapters.http_addresses import Address, Network, is_in, read_address, unmapped
from chalicelib.adapters.http_url import Origin, read_host, read_url, split_authority
from chalicelib.errors import AddressRefusedError, SettingError

_WEB_PORTS = frozenset((80, 443))
# Whatever of these is connected to, it is this machine that answers; the unspecified address too.
_HERE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each) for each in ("127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128")
)


@dataclass(frozen=True, slots=True)
class HostPattern:
    """One entry of the list: a host, or with `*.` every name below it (and not itself); at one port, or at 80 and 443.

    `host` is as `read_host` gives it, without a dot at its end; an IPv6 address in its shortest form.
    """

    host: str
    has_wildcard: bool
    ports: frozenset[int]

    @classmethod
    def read(cls, text: str) -> "HostPattern":
        """Read `api.example.com`, `*.example.com`, `example.com:8443`, `192.0.2.1` or `[2001:db8::1]:8443`.

        Raises:
            SettingError: it is none of these; the message names the entry.
        """
        name = text.removeprefix("*.")
        try:
            host, port = split_authority(name)
            host = _plain(read_host(host))
        except AddressRefusedError as error:
            raise SettingError(
                f"PENSTOCK_ONLY_HOSTS (or --only-host): {text!r} is not a host. Write it like api.example.com, "
                "*.example.com or example.com:8443, without https:// and without a path."
            ) from error
        if name != text and read_address(host) is not None:
            raise SettingError(f"PENSTOCK_ONLY_HOSTS (or --only-host): {text!r}: below an address there are no names.")
        return cls(host, name != text, frozenset((port,)) if port else _WEB_PORTS)

    def holds(self, origin: Origin) -> bool:
        """Whether this is where a request goes."""
        host = _plain(origin.host)
        is_host = host.endswith(f".{self.host}") if self.has_wildcard else host == self.host
        return is_host and origin.port in self.ports


@dataclass(frozen=True, slots=True)
class OwnAddresses:
    """Where the deployment itself answers: `names` as host and port, `networks` for what is asked at the socket."""

    names: frozenset[tuple[str, int]]
    networks: tuple[tuple[tuple[Network, ...], int], ...]

    @classmethod
    def read(cls, urls: Iterable[str]) -> "OwnAddresses":
        """Read base URLs; both ports of the web count as one, since a front serves both.

        Raises:
            SettingError: one of them is no URL.
        """
        names: set[tuple[str, int]] = set()
        networks: list[tuple[tuple[Network, ...], int]] = []
        for url in urls:
            try:
                origin = read_url(url)
            except AddressRefusedError as error:
                raise SettingError(f"The deployment's own address {url!r} is not a URL: {error.detail}") from error
            host = _plain(origin.host)
            for port in _WEB_PORTS if origin.port in _WEB_PORTS else (origin.port,):
                names.add((host, port))
                if found := _networks_of(host):
                    networks.append((found, port))
        return cls(frozenset(names), tuple(networks))

    def has_name(self, origin: Origin) -> bool:
        """Whether a request goes there, by what its URL says."""
        return (_plain(origin.host), origin.port) in self.names

    def has_address(self, address: Address, port: int) -> bool:
        """Whether a connection goes there, whatever name led to it."""
        address = unmapped(address)
        return any(port == own and is_in(address, networks) for networks, own in self.networks)


def _networks_of(host: str) -> tuple[Network, ...]:
    """The addresses of a host that is one, or is this machine; those of a name are shared with others."""
    if host == "localhost" or host.endswith(".localhost"):
        return _HERE
    address = read_address(host)
    if address is None:
        return ()
    address = unmapped(address)
    return _HERE if is_in(address, _HERE) else (ipaddress.ip_network(address),)


def _plain(host: str) -> str:
    """A host for comparing: without the dot at its end, an IPv6 address in its shortest form."""
    return ipaddress.IPv6Address(host).compressed if ":" in host else host.removesuffix(".")

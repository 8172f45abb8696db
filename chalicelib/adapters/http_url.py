"""Reading a URL into the host, port and target of a request; what two readers could read apart is refused."""

from dataclasses import dataclass

from chalicelib.adapters.http_addresses import read_address
from chalicelib.errors import AddressRefusedError

_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_LONGEST_NAME = 253
_LONGEST_LABEL = 63  # RFC 1035, 2.3.4; Python's own look-up fails on a longer one in a way of its own
_LONGEST_URL = 65536


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
        return host if self.port == default_port(self.scheme) else f"{host}:{self.port}"


def default_port(scheme: str) -> int:
    """443 for https, 80 for http."""
    return 443 if scheme == "https" else 80


def read_url(url: str) -> Origin:
    """Split an http or https URL; the target keeps its bytes, but for blanks and non-ASCII, which are percent-encoded.

    Raises:
        AddressRefusedError: it is not a URL that can be called; the message says why.
    """
    if len(url) > _LONGEST_URL:
        raise AddressRefusedError(f"The URL is over {_LONGEST_URL} characters. Send what is long in the body.")
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
    host, port = split_authority(authority)
    if not target.startswith("/"):
        target = "/" + target
    return Origin(scheme, read_host(host), port or default_port(scheme), _encode_target(target))


def split_authority(authority: str) -> tuple[str, int]:
    """The host, an IPv6 address without its brackets, and the port; 0 where none is named.

    Raises:
        AddressRefusedError: the brackets or the port cannot be read.
    """
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


def read_host(host: str) -> str:
    """A host as it is called: in lower-case ASCII, an international name encoded.

    Raises:
        AddressRefusedError: it is no host name, or an address in a spelling that is read in more ways than one.
    """
    if ":" in host:
        # An address with a scope (fe80::1%eth0) names a network card of this machine.
        if "%" in host or read_address(host) is None:
            raise AddressRefusedError("The URL's host is not an IPv6 address that can be called.")
        return host.lower()
    is_plain = host.isascii()
    host = host.lower() if is_plain else _encode_host(host)
    name = host.removesuffix(".")
    if not set(name) <= _HOST_CHARACTERS or not _is_name(name):
        raise AddressRefusedError("The URL's host is not a host name. Check its spelling.")
    last = name.rpartition(".")[2]
    looks_numeric = last.isdigit() or last.startswith("0x")
    if looks_numeric and not (is_plain and read_address(name)):
        raise AddressRefusedError(
            f"{host} is an odd spelling of an address. Write four plain numbers, as in 192.0.2.1."
        )
    return name if looks_numeric else host


def _is_name(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and all(0 < len(label) <= _LONGEST_LABEL for label in name.split("."))


def _encode_host(host: str) -> str:
    import idna

    if not any(character.isalpha() for character in host):
        raise AddressRefusedError("The URL's host is an address in digits of another script. Write it in plain ones.")
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

"""Headers as proof: each is there or named as missing, bounded, and has one spelling."""

from collections.abc import Mapping
from typing import Final

from chalicelib.errors import SignatureMissingError, SignatureWrongError
from chalicelib.signing.inbound_scheme import DeliveryId

# Far above what any sender sends, far below what would cost us time.
_LONGEST_HEADER: Final = 8192
LONGEST_ID: Final = 256


def present(headers: Mapping[str, str], name: str) -> str:
    """A header that must be there; raises SignatureMissingError, or SignatureWrongError where it is too long."""
    if not headers.get(name):
        raise SignatureMissingError(f"The delivery has no header {name}. Set the secret at the sender.")
    return bounded(headers, name)


def bounded(headers: Mapping[str, str], name: str) -> str:
    """A header that is there; raises SignatureWrongError where it is longer than anyone's."""
    value = headers[name]
    if len(value) > _LONGEST_HEADER:
        raise SignatureWrongError(f"The header {name} is longer than {_LONGEST_HEADER} characters.")
    return value


def plain(headers: Mapping[str, str], name: str) -> str:
    """A time or an id that is signed: it must be there, short, and plain ASCII, so that it has one spelling."""
    value = present(headers, name)
    if not is_plain(value):
        raise SignatureWrongError(f"The header {name} is malformed.")
    return value


def is_plain(value: str) -> bool:
    """Whether a text is short and printable ASCII."""
    return len(value) <= LONGEST_ID and value.isascii() and value.isprintable()


def unsigned_id(identity: DeliveryId | None, headers: Mapping[str, str]) -> str | None:
    """The delivery's id where it has one that can be kept; nothing vouches for it."""
    value = headers.get(identity.header) if identity else None
    return value if value and is_plain(value) else None


def to_bytes(text: str) -> bytes:
    """UTF-8, and halves of characters as they are: whatever came can be compared."""
    return text.encode("utf-8", "surrogatepass")

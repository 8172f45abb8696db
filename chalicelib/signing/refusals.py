"""What must not be signed: headers and parameters that the signer itself sets, and text that cannot be sent."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from chalicelib.errors import SigningError

# The signer writes these; a second value from the caller would be signed into a request that the service refuses,
# or worse, accepts (aws-c-auth, tests/sigv4_signing_tests.c, the fail-* cases).
OWN_HEADERS = frozenset(
    {"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-region-set"}
)
OWN_PARAMETERS = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-region-set",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    }
)

# RFC 9110 section 5.6.2: a header name and a method are tokens.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9112 section 5.2: a line break followed by white space folds a header; alone it starts another header.
_BREAK = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\x0b\x0c]|\r\n(?![ \t])|\r(?!\n)|(?<!\r)\n(?![ \t])")


@lru_cache(maxsize=1024)
def header_name(name: str) -> str:
    """Lower-case a header's name; raise SigningError if it is not one (RFC 9110 section 5.1)."""
    if not _TOKEN.fullmatch(name):
        raise SigningError(f"{name[:60]!r} is not a header name; letters, digits and - are.")
    return name.lower()


@lru_cache(maxsize=64)
def method_name(method: str) -> str:
    """Upper-case a method; raise SigningError if it is not a token (RFC 9110 section 9.1)."""
    if not _TOKEN.fullmatch(method):
        raise SigningError(f"{method[:60]!r} is not an HTTP method.")
    return method.upper()


def refuse_value(name: str, value: str) -> None:
    """Raise SigningError if a header's value would break out of its line; the value itself is not repeated."""
    if _BREAK.search(value):
        raise SigningError(f"The value of the header {name} has a line break or a control character; take it out.")


def refuse_own_header(lowered: str) -> None:
    """Raise SigningError if a header is one that the signer sets itself."""
    if lowered in OWN_HEADERS:
        raise SigningError(f"The header {lowered} is set by the signer; leave it out of the request.")


def refuse_own_parameters(names: Iterable[str]) -> None:
    """Raise SigningError if a query parameter, however it is escaped, is one that the signer sets itself."""
    for name in names:
        if unquote(name).lower() in OWN_PARAMETERS:
            raise SigningError(f"The query parameter {unquote(name)} is set by the signer; leave it out of the URL.")

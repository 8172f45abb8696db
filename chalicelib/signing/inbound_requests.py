"""Contentful: an HMAC over the method, the path, headers that it lists, and the body."""

from typing import Final
from urllib.parse import quote, urlsplit

from chalicelib.errors import SignatureWrongError
from chalicelib.signing.inbound_content import Asked, Verified, public_url
from chalicelib.signing.inbound_headers import plain, present, to_bytes
from chalicelib.signing.inbound_keys import is_signed, keys_for, secrets_of
from chalicelib.signing.inbound_scheme import WINDOW_SECONDS, Way
from chalicelib.signing.inbound_time import refuse_stale, time_from

_SIGNATURE: Final = "x-contentful-signature"
_LIST: Final = "x-contentful-signed-headers"
_TIME: Final = "x-contentful-timestamp"
_MOST_HEADERS: Final = 100
# What JavaScript's encodeURI and querystring.escape leave as it is.
_IN_A_URL: Final = ";,/?:@&=+$-_.!~*'()#"
_IN_A_QUERY: Final = "-_.!~*'()"


def verify_contentful(asked: Asked) -> Verified:
    """Contentful says which headers it signed; its own list and its time must be among them."""
    headers = asked.delivery.headers
    shown = to_bytes(present(headers, _SIGNATURE))
    names = [name.strip(" ").lower() for name in present(headers, _LIST).split(",")]
    timestamp = plain(headers, _TIME)
    if len(names) > _MOST_HEADERS or len(set(names)) < len(names) or not {_LIST, _TIME} <= set(names):
        raise SignatureWrongError(f"The header {_LIST} must name itself and {_TIME}, and each header once.")
    missing = [name for name in names if name not in headers]
    if missing:
        raise SignatureWrongError(f"A header that was signed is not there: {missing[0][:60]}.")
    listed = ";".join(f"{name}:{headers[name].strip()}" for name in sorted(names))
    text = "\n".join((asked.delivery.method, _path(asked), listed, ""))
    way = Way()
    keys = keys_for(way, secrets_of(asked.secret, "secret"))
    if not sum(is_signed(way, key, to_bytes(text) + asked.delivery.body, [shown]) for key in keys):
        raise SignatureWrongError
    signed_at = time_from(timestamp, "milliseconds")
    if signed_at is None:
        raise SignatureWrongError("The time that the sender signed cannot be read; is the scheme the right one?")
    refuse_stale(signed_at, WINDOW_SECONDS, asked.now)
    return Verified(None, signed_at)


def _path(asked: Asked) -> str:
    """The path, and the query escaped as if it were one value: so Contentful's own library writes it."""
    path = urlsplit(public_url(asked.options, asked.delivery)).path
    query = quote(to_bytes(asked.delivery.query), safe=_IN_A_QUERY)
    return quote(to_bytes(f"{path}?{query}" if query else path), safe=_IN_A_URL)

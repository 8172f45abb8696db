"""Reads S3's listings; apart from the client because the XML parser is imported only where objects are listed."""

from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree as Xml

from chalicelib.errors import StoreError

_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Keys with their sizes in bytes, and the token of the next page, empty on the last."""

    entries: tuple[tuple[str, int], ...]
    next_token: str


def read_page(body: bytes) -> ListingPage:
    """Read one answer of ListObjectsV2 with `encoding-type=url`.

    Raises:
        StoreError: it is not such a listing.
    """
    try:
        root = Xml.fromstring(body)  # noqa: S314  from S3 itself, over TLS
        entries = tuple(
            (unquote(_text(entry, "Key")), int(_text(entry, "Size") or "0"))
            for entry in root.iter(f"{_NAMESPACE}Contents")
        )
    except (Xml.ParseError, ValueError) as error:  # a size that is no number, a coding that Python does not know
        raise StoreError("S3's listing is not readable.") from error
    return ListingPage(entries, _text(root, "NextContinuationToken") if _text(root, "IsTruncated") == "true" else "")


def _text(element: Xml.Element, name: str) -> str:
    return element.findtext(f"{_NAMESPACE}{name}") or ""

"""Cursors of listings: where a page ended, so that the next one goes on behind it."""

import base64
import binascii

from chalicelib.engine.records import Image
from chalicelib.errors import UsageError
from chalicelib.ports import Listing, Summary


def to_cursor(last: Summary) -> str:
    """The cursor behind this execution."""
    return cursor_behind(last.started, last.id)


def cursor_behind(started: int, execution: str) -> str:
    """The cursor behind whatever started then and has this id, in URL-safe text."""
    return base64.urlsafe_b64encode(f"{started}.{execution}".encode()).decode().rstrip("=")


def from_cursor(cursor: str) -> tuple[int, str]:
    """The start and the id behind a cursor; raises UsageError for anything else."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        started, execution = text.split(".", 1)
        return int(started), execution
    except (ValueError, binascii.Error) as error:
        raise UsageError("This is not a cursor of ours. Take it from the page before, unchanged.") from error


def summary_of(image: Image) -> Summary | None:
    """An execution as a listing shows it; None for a record that is not an execution's head."""
    birth = image.birth
    if birth is None:
        return None
    return Summary(
        image.key.execution, birth.flow, birth.version, image.status, birth.trigger, birth.started, image.ended
    )


def is_wanted(tenant: str, summary: Summary, listing: Listing) -> bool:
    """Whether a listing asks for this execution, its cursor aside."""
    return (
        tenant == listing.tenant
        and (listing.flow is None or summary.flow == listing.flow)
        and (listing.status is None or summary.status is listing.status)
        and (listing.since is None or summary.started >= listing.since)
        and (listing.until is None or summary.started <= listing.until)
    )

"""Keep what an address holds as a file."""

from typing import Annotated

from pydantic import Field

from chalicelib.kit import values
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.answers import file_name, media_type
from chalicelib.kit.fields import AnyObject
from chalicelib.kit.outputs import FILE, TEXTS_BY_NAME, shape
from chalicelib.kit.values import PutFile, Response
from chalicelib.nodes.http.redirects import STATUSES, followed
from chalicelib.nodes.http.service import HTTP, Url


class Download(Action):
    """Download a file; up to five redirects are followed.

    The value is `{"file", "headers"}`; `file` is passed whole to what takes a file.
    """

    service = HTTP
    effect = "read"
    output = shape(file=FILE, headers=TEXTS_BY_NAME)
    example = Example(
        given={"url": "https://reports.example/weekly.csv"},
        sends=(
            values.Request("GET", "https://reports.example/weekly.csv", allow=STATUSES),
            PutFile(b"a,b\n1,2\n", "weekly.csv", "text/csv"),
        ),
        receives=(
            Response(200, b"a,b\n1,2\n", {"content-type": "text/csv"}),
            {"file": "f1", "name": "weekly.csv", "type": "text/csv", "size": 8},
        ),
        returns={
            "file": {"file": "f1", "name": "weekly.csv", "type": "text/csv", "size": 8},
            "headers": {"content-type": "text/csv"},
        },
    )

    url: Url
    """The address, with https://."""
    query: AnyObject = {}
    """Query parameters by name."""
    name: str | None = None
    """The file's name; without it, the one the answer or the address gives."""
    limit_bytes: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """The largest file it takes, in bytes; without it, the deployment's limit."""

    def run(self) -> Conversation:
        """Ask, follow, keep."""
        request = values.Request("GET", self.url, query=self.query, allow=STATUSES, limit_bytes=self.limit_bytes)
        request, response = yield from followed(request, 5)
        if response.status in STATUSES:
            said = f"The answer {response.status} names no address to go to."
            return values.Failed(
                values.Failure(f"http_{response.status}", said, status=response.status, sent="answered")
            )
        name = self.name or file_name(response, request.path)
        kept = yield PutFile(response.content, name, media_type(response) or "application/octet-stream")
        return {"file": kept, "headers": dict(response.headers)}

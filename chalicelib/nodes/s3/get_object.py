"""Read an object."""

from typing import Annotated

from pydantic import Field

from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.answers import Form, body_of, media_type
from chalicelib.kit.aws import Region
from chalicelib.kit.outputs import ANYTHING, TEXT_OR_NULL, TEXTS_BY_NAME, WHOLE, shape
from chalicelib.kit.values import PutFile, Request, Response
from chalicelib.nodes.s3.service import Bucket, Key, metadata_of, object_path, s3_service


class GetObject(Action):
    """Read an object.

    The value is `{"body", "content_type", "size", "etag", "modified", "version_id", "metadata"}`.
    By its content type the body is parsed JSON, text, or a file; `as` says otherwise. Where there is none, it fails
    with http_404.
    """

    service = s3_service("GetObject")
    effect = "read"
    output = shape(
        body=ANYTHING,
        content_type=TEXT_OR_NULL,
        size=WHOLE,
        etag=TEXT_OR_NULL,
        modified=TEXT_OR_NULL,
        version_id=TEXT_OR_NULL,
        metadata=TEXTS_BY_NAME,
    )
    example = Example(
        given={"bucket": "reports", "key": "latest.json", "region": "eu-central-1"},
        sends=(Request("GET", "/reports/latest.json", fills={"region": "eu-central-1"}),),
        receives=(
            Response(
                200,
                b'{"rows": 17}',
                {
                    "content-type": "application/json",
                    "etag": '"9b2c"',
                    "last-modified": "Fri, 20 Nov 2026 07:00:00 GMT",
                    "x-amz-meta-made-by": "export",
                },
            ),
        ),
        returns={
            "body": {"rows": 17},
            "content_type": "application/json",
            "size": 12,
            "etag": "9b2c",
            "modified": "Fri, 20 Nov 2026 07:00:00 GMT",
            "version_id": None,
            "metadata": {"made-by": "export"},
        },
    )
    more_examples = (
        Example(
            given={"bucket": "reports", "key": "weekly/logo.png", "as": "file"},
            sends=(Request("GET", "/reports/weekly/logo.png"), PutFile(b"\x89PNG", "logo.png", "image/png")),
            receives=(
                Response(200, b"\x89PNG", {"content-type": "image/png"}),
                {"file": "f2", "name": "logo.png", "type": "image/png", "size": 4},
            ),
            returns={
                "body": {"file": "f2", "name": "logo.png", "type": "image/png", "size": 4},
                "content_type": "image/png",
                "size": 4,
                "etag": None,
                "modified": None,
                "version_id": None,
                "metadata": {},
            },
            about="As a file, with the region of the credential.",
        ),
    )

    bucket: Bucket
    """The bucket's name."""
    key: Key
    """The object's key."""
    as_: Form = Field(default="auto", alias="as")
    """How it is read: by its content type, or as JSON, text or a file."""
    version_id: str | None = None
    """An older version, where the bucket keeps them."""
    limit_bytes: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """The largest object it takes, in bytes; without it, the deployment's limit."""
    region: Region | None = None
    """The region; without it, the credential's."""

    def run(self) -> Conversation:
        """Get it."""
        response: Response = yield Request(
            "GET",
            object_path(self.bucket, self.key),
            query={"versionId": self.version_id} if self.version_id else {},
            limit_bytes=self.limit_bytes,
            fills={"region": self.region} if self.region else {},
        )
        name = self.key.rstrip("/").rpartition("/")[2] or "object"
        body = yield from body_of(response, self.as_, name)
        return {
            "body": body,
            "content_type": media_type(response) or None,
            "size": len(response.content),
            "etag": response.headers.get("etag", "").strip('"') or None,
            "modified": response.headers.get("last-modified"),
            "version_id": response.headers.get("x-amz-version-id"),
            "metadata": metadata_of(response),
        }

"""Store an object."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.address import utf8
from chalicelib.kit.aws import Region
from chalicelib.kit.encode import json_bytes
from chalicelib.kit.fields import AnyObject, Anything, FileReference, LongText
from chalicelib.kit.outputs import TEXT, TEXT_OR_NULL, WHOLE, shape
from chalicelib.kit.values import GetFile, Request, Response
from chalicelib.nodes.s3.service import Bucket, Key, object_path, s3_service


class PutObject(Action):
    """Store a file, a text or a JSON value as an object; what was there under its key is replaced.

    The value is `{"bucket", "key", "etag", "version_id", "size"}`.
    """

    service = s3_service("PutObject")
    effect = "idempotent"
    output = shape(bucket=TEXT, key=TEXT, etag=TEXT_OR_NULL, version_id=TEXT_OR_NULL, size=WHOLE)
    example = Example(
        given={
            "bucket": "reports",
            "key": "weekly/2026-11-20.csv",
            "file": {"file": "f1", "name": "weekly.csv", "type": "text/csv", "size": 8},
            "region": "eu-central-1",
        },
        sends=(
            GetFile({"file": "f1", "name": "weekly.csv", "type": "text/csv", "size": 8}),
            Request(
                "PUT",
                "/reports/weekly/2026-11-20.csv",
                headers={"content-type": "text/csv"},
                content=b"a,b\n1,2\n",
                fills={"region": "eu-central-1"},
            ),
        ),
        receives=(b"a,b\n1,2\n", Response(200, headers={"etag": '"9b2c"'})),
        returns={
            "bucket": "reports",
            "key": "weekly/2026-11-20.csv",
            "etag": "9b2c",
            "version_id": None,
            "size": 8,
        },
    )

    bucket: Bucket
    """The bucket's name."""
    key: Key
    """The object's key, such as `weekly/2026-11-20.csv`."""
    file: FileReference | None = None
    """What to store, as a file."""
    text: LongText | None = None
    """What to store, as text (UTF-8)."""
    json_: Anything = Field(default=None, alias="json")
    """What to store, as JSON: any value."""
    content_type: str | None = None
    """The object's content type; without it, the file's, or the one of text or JSON."""
    overwrite: bool = True
    """False fails (http_412) where an object is there under this key."""
    metadata: AnyObject | None = None
    """Metadata of your own, by name: ASCII text."""
    cache_control: str | None = None
    """The Cache-Control header it is served with."""
    content_disposition: str | None = None
    """The Content-Disposition header it is served with."""
    storage_class: Annotated[str, Field(pattern=r"^[A-Z_]+$")] | None = None
    """The storage class, such as `STANDARD_IA`."""
    server_side_encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    """How S3 encrypts it, where that is not the bucket's default."""
    region: Region | None = None
    """The region; without it, the credential's."""

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        given = ["json"] if "json_" in self.model_fields_set else []
        given += [name for name in ("file", "text") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("needs one of `file`, `text` and `json`")
        return self

    def run(self) -> Conversation:
        """Put it there."""
        if self.file is not None:
            content: bytes = yield GetFile(self.file)
            kind = str(self.file.get("type") or "application/octet-stream")
        elif self.text is not None:
            content, kind = utf8(self.text, "text"), "text/plain; charset=utf-8"
        else:
            content, kind = json_bytes(self.json_), "application/json"
        headers: dict[str, Any] = {
            "content-type": self.content_type or kind,
            "if-none-match": None if self.overwrite else "*",
            "cache-control": self.cache_control,
            "content-disposition": self.content_disposition,
            "x-amz-storage-class": self.storage_class,
            "x-amz-server-side-encryption": self.server_side_encryption,
            **{f"x-amz-meta-{name}": value for name, value in (self.metadata or {}).items()},
        }
        response: Response = yield Request(
            "PUT",
            object_path(self.bucket, self.key),
            headers={name: value for name, value in headers.items() if value is not None},
            content=content,
            fills={"region": self.region} if self.region else {},
        )
        return {
            "bucket": self.bucket,
            "key": self.key,
            "etag": response.headers.get("etag", "").strip('"') or None,
            "version_id": response.headers.get("x-amz-version-id"),
            "size": len(content),
        }

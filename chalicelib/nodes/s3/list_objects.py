"""List objects."""

from typing import Annotated
from urllib.parse import unquote_plus

from pydantic import Field

from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.aws import Region, xml_of
from chalicelib.kit.outputs import TEXT, TEXT_OR_NULL, WHOLE, YES_OR_NO, listed, shape
from chalicelib.kit.values import Json, Request, Response
from chalicelib.nodes.s3.service import Bucket, object_path, s3_service

_PAGE = 1000
"""The most keys in one answer (ListObjectsV2, max-keys)."""

_LISTED = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>
<Contents><Key>weekly/a+b.csv</Key><LastModified>2026-11-20T07:00:00.000Z</LastModified>
<ETag>&quot;9b2c&quot;</ETag><Size>8</Size><StorageClass>STANDARD</StorageClass></Contents>
<CommonPrefixes><Prefix>weekly/old/</Prefix></CommonPrefixes></ListBucketResult>"""


class ListObjects(Action):
    """List the objects of a bucket, in the order of their keys.

    The value is `{"objects", "prefixes", "more"}`: objects with `key`, `size`, `etag`, `modified` and `storage_class`;
    with a `delimiter`, the prefixes up to it; and whether there are others beyond `limit`.
    """

    service = s3_service("ListObjectsV2")
    effect = "read"
    output = shape(
        objects=listed(
            shape(key=TEXT, size=WHOLE, etag=TEXT_OR_NULL, modified=TEXT_OR_NULL, storage_class=TEXT_OR_NULL)
        ),
        prefixes=listed(TEXT),
        more=YES_OR_NO,
    )
    example = Example(
        given={"bucket": "reports", "prefix": "weekly/", "delimiter": "/", "region": "eu-central-1"},
        sends=(
            Request(
                "GET",
                "/reports",
                query={
                    "list-type": 2,
                    "encoding-type": "url",
                    "prefix": "weekly/",
                    "delimiter": "/",
                    "start-after": None,
                    "max-keys": 1000,
                    "continuation-token": None,
                },
                fills={"region": "eu-central-1"},
            ),
        ),
        receives=(Response(200, _LISTED, {"content-type": "application/xml"}),),
        returns={
            "objects": [
                {
                    "key": "weekly/a b.csv",
                    "size": 8,
                    "etag": "9b2c",
                    "modified": "2026-11-20T07:00:00.000Z",
                    "storage_class": "STANDARD",
                }
            ],
            "prefixes": ["weekly/old/"],
            "more": False,
        },
    )

    bucket: Bucket
    """The bucket's name."""
    prefix: str | None = None
    """Only keys that begin so."""
    delimiter: str | None = None
    """List only up to this sign after the prefix, such as `/` for one folder; what lies deeper becomes `prefixes`."""
    start_after: str | None = None
    """Only keys after this one."""
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """The most objects and prefixes; more than 1,000 take several requests."""
    region: Region | None = None
    """The region; without it, the credential's."""

    def run(self) -> Conversation:
        """Page after page, up to the limit."""
        objects: list[Json] = []
        prefixes: list[Json] = []
        token: str | None = None
        while True:
            left = self.limit - len(objects) - len(prefixes)
            response: Response = yield Request(
                "GET",
                object_path(self.bucket, "").rstrip("/"),
                query={
                    "list-type": 2,
                    "encoding-type": "url",
                    "prefix": self.prefix,
                    "delimiter": self.delimiter,
                    "start-after": self.start_after,
                    "max-keys": min(left, _PAGE),
                    "continuation-token": token,
                },
                fills={"region": self.region} if self.region else {},
            )
            page = xml_of(response)
            objects += [
                {
                    "key": unquote_plus(found.findtext("Key", "")),
                    "size": int(found.findtext("Size", "0")),
                    "etag": found.findtext("ETag", "").strip('"') or None,
                    "modified": found.findtext("LastModified"),
                    "storage_class": found.findtext("StorageClass"),
                }
                for found in page.iter("Contents")
            ]
            prefixes += [unquote_plus(found.findtext("Prefix", "")) for found in page.iter("CommonPrefixes")]
            more = page.findtext("IsTruncated") == "true"
            token = page.findtext("NextContinuationToken")
            if not more or not token or len(objects) + len(prefixes) >= self.limit:
                return {"objects": objects, "prefixes": prefixes, "more": more}

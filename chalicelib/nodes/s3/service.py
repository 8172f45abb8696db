"""Where S3 is, and how its objects are addressed."""

from typing import Annotated, Final

from pydantic import Field

from chalicelib.errors import ParameterError
from chalicelib.kit.address import path_part, percent_encoded
from chalicelib.kit.aws import aws_error
from chalicelib.kit.service import Service
from chalicelib.kit.values import Response

_DOCS: Final = "https://docs.aws.amazon.com/AmazonS3/latest/API/"


def s3_service(operation: str) -> Service:
    """S3, with the page of one operation. Requests are path-style: a `base_url` of any compatible store works."""
    return Service(
        "Amazon S3",
        base_url="https://s3.{region}.amazonaws.com",
        credential="aws",
        credential_options={"service": "s3"},
        error_message=aws_error,
        docs=f"{_DOCS}API_{operation}.html",
    )


Bucket = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$")]
"""A bucket's name."""

Key = Annotated[str, Field(min_length=1, max_length=1024)]
"""An object's key."""


def object_path(bucket: str, key: str) -> str:
    """The path of an object; ParameterError for a key with `.` or `..` between slashes, which others would resolve."""
    parts = key.split("/")
    if "." in parts or ".." in parts:
        raise ParameterError("with.key: has `.` or `..` between slashes, which names another object on the way there")
    return f"/{path_part(bucket, 'bucket')}/{'/'.join(percent_encoded(part, 'with.key') for part in parts)}"


def metadata_of(response: Response) -> dict[str, str]:
    """An object's own metadata, by name."""
    return {
        name.removeprefix("x-amz-meta-"): value
        for name, value in response.headers.items()
        if name.startswith("x-amz-meta-")
    }

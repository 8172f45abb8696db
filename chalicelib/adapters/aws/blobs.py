"""Bytes in S3, by their hash: `blobs/<SHA-256 in hexadecimal>`, whosever they are."""

import hashlib

from chalicelib.adapters.aws.answers import ConditionRefusedError
from chalicelib.adapters.aws.client import Aws
from chalicelib.errors import CutOffError, NotFoundError, StoreError, TimedOutError

PREFIX = "blobs/"
LARGEST = 500_000_000
"""Bytes read back at once: more than a Lambda function of the default size could hold."""

_TRIES = 3


class AwsBlobs:
    """Fulfils `ports.Blobs` on one bucket; what is put twice lies there once."""

    def __init__(self, aws: Aws, bucket: str) -> None:
        self._aws = aws
        self._bucket = bucket

    async def put(self, content: bytes) -> str:
        """Keep them; return their name.

        Raises StoreError, TimedOutError or CutOffError where they are not known to be there: put them again.
        """
        name = hashlib.sha256(content).hexdigest()
        for tried in range(1, _TRIES + 1):
            try:
                await self._aws.s3_put(self._bucket, PREFIX + name, content, if_absent=True)
            except ConditionRefusedError:
                pass  # there already, and what has this name is these bytes
            except (TimedOutError, CutOffError):
                if tried == _TRIES:
                    raise
                continue
            break
        return name

    async def get(self, name: str) -> bytes:
        """The bytes; raises NotFoundError."""
        try:
            return await self._aws.s3_get(self._bucket, PREFIX + name, limit_bytes=LARGEST)
        except NotFoundError as error:
            if "NoSuchBucket" in error.detail:
                raise StoreError(error.detail) from error
            raise NotFoundError(f"no blob is named {name}") from error

"""Blobs in S3: by their hash, written once, whatever happens on the way."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import pytest

from chalicelib.errors import CutOffError, StoreError
from chalicelib.ports import HttpAnswer, HttpRequest
from tests.aws_place import Place, place
from tests.aws_server import boto


def play(url: str, scene: Callable[[Place], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with place(url) as here:
            await scene(here)

    asyncio.run(whole())


def test_a_blob_lies_under_its_hash_whosever_it_is(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        name = await here.blobs.put(b"text")
        assert name == hashlib.sha256(b"text").hexdigest()
        (found,) = await here.aws.s3_list(here.bucket)
        assert found.key == f"blobs/{name}"

    play(aws_url, scene)


def test_what_is_there_is_never_written_again(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        s3 = boto(here.url, "s3")
        name = hashlib.sha256(b"text").hexdigest()
        s3.put_object(Bucket=here.bucket, Key=f"blobs/{name}", Body=b"other")
        assert await here.blobs.put(b"text") == name
        assert await here.blobs.get(name) == b"other"

    play(aws_url, scene)


def test_of_many_who_put_the_same_all_are_told_its_name(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        content = bytes(range(256)) * 4000
        names = await asyncio.gather(*(here.blobs.put(content) for _ in range(6)))
        assert set(names) == {hashlib.sha256(content).hexdigest()}
        assert await here.blobs.get(names[0]) == content

    play(aws_url, scene)


class Losing:
    """Loses the answers of the first puts."""

    def __init__(self, here: Place, losses: int) -> None:
        self.http = here.aws._http
        self.losses = losses
        here.aws._http = self

    async def send(self, request: HttpRequest) -> HttpAnswer:
        answer = await self.http.send(request)
        if request.method == "PUT" and self.losses > 0:
            self.losses -= 1
            raise CutOffError
        return answer


def test_an_unknown_outcome_is_put_again(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        Losing(here, 1)
        name = await here.blobs.put(b"text")
        assert await here.blobs.get(name) == b"text"
        assert here.aws.tally.calls["s3.PutObject"] == 2
        Losing(here, 3)
        with pytest.raises(CutOffError):
            await here.blobs.put(b"more")

    play(aws_url, scene)


def test_a_bucket_that_is_not_there_is_an_error_and_no_missing_blob(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        here.blobs._bucket = "no-such-bucket-anywhere"
        with pytest.raises(StoreError, match="NoSuchBucket"):
            await here.blobs.get("0" * 64)

    play(aws_url, scene)

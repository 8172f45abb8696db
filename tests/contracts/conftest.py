import asyncio
import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.contracts.aws_world import aws_world
from tests.contracts.world import WORLDS, World

ELSEWHERE = os.environ.get("PENSTOCK_DYNAMODB_URL")
"""Another DynamoDB, for the facts and the versions."""

AWS_WORLDS = {"aws": None, **({"aws-elsewhere": ELSEWHERE} if ELSEWHERE else {})}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world" in metafunc.fixturenames:
        aws = [
            name for name in AWS_WORLDS if name == "aws" or not metafunc.module.__name__.endswith(("queue", "blobs"))
        ]
        metafunc.parametrize("world", [*WORLDS, *aws], indirect=True)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    opened: AbstractAsyncContextManager[World]
    if request.param in WORLDS:
        opened = WORLDS[request.param](tmp_path)
    else:
        opened = aws_world(request.getfixturevalue("aws_url"), AWS_WORLDS[request.param])
    with asyncio.Runner() as runner:
        world = runner.run(opened.__aenter__())
        world.run = runner.run
        yield world
        runner.run(opened.__aexit__(None, None, None))

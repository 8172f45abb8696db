import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.world import WORLDS, World


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with asyncio.Runner() as runner:
        opened = WORLDS[request.param](tmp_path)
        world = runner.run(opened.__aenter__())
        world.run = runner.run
        yield world
        runner.run(opened.__aexit__(None, None, None))

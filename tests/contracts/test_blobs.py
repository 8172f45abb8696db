import hashlib

import pytest

from chalicelib.errors import NotFoundError
from tests.contracts.world import World


@pytest.mark.parametrize("content", [b"", b"text", bytes(range(256)) * 4096])
def test_bytes_come_back_under_their_hash(world: World, content: bytes) -> None:
    name = world.run(world.blobs.put(content))
    assert name == hashlib.sha256(content).hexdigest()
    assert world.run(world.blobs.put(content)) == name
    assert world.run(world.blobs.get(name)) == content


def test_a_blob_that_is_not_there_is_an_error(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.run(world.blobs.get("0" * 64))

"""Every adapter once with its signatures verified, and once with a wrong secret."""

import asyncio

import pytest

from chalicelib.engine.messages import Resume, Send
from chalicelib.engine.records import Birth, Reason, RecordKey, Status
from chalicelib.engine.writes import Applied, Cancel, Commit
from chalicelib.errors import StoreError
from chalicelib.ports import Listing, Live
from chalicelib.signing.forms import AwsKeys
from tests.aws_place import Place, place
from tests.aws_server import verifying_signatures

NOW = 1_772_366_400_000
KEY = RecordKey("main", "0" * 26)
BIRTH = Birth("orders", "a" * 64, "placed", NOW, "i0", "b" * 64)
LIVE = Live("main", "orders", "a" * 64, enabled=True, published=NOW, rev=1)


async def everything(here: Place) -> None:
    name = await here.blobs.put("\u20ac".encode())
    assert await here.blobs.get(name) == "\u20ac".encode()
    await here.versions.put("main", "orders", "a" * 64, "x" * 300_001, NOW)
    assert len(await here.versions.text("main", "orders", "a" * 64)) == 300_001
    assert await here.versions.set_live(LIVE)
    assert list(await here.versions.flows("main")) == [LIVE]
    made = await here.facts.write(
        Commit(KEY, 0, NOW, birth=BIRTH, inline={"i0": "\u20ac"}, packs={"pa": "\u20ac"}, next_check=NOW)
    )
    assert isinstance(made, Applied)
    assert await here.facts.pack(KEY, "pa") == "\u20ac"
    assert list(await here.facts.unfinished(5)) == [(KEY, 0)]
    cancelled = await here.facts.write(Cancel(KEY, Reason(Status.CANCELLED, "", "cancelled", "\u20ac"), NOW, NOW))
    assert isinstance(cancelled, Applied)
    page = await here.facts.page(Listing("main"))
    assert [each.id for each in page.items] == [KEY.execution]
    await here.queue.send([Send(Resume("main", "e1", 0))])
    await here.queue.send([Send(Resume("main", "e2", 0)), Send(Resume("main", "e3", 0))])
    received = [each for _ in range(3) for each in await here.queue.receive(1, 0)]
    assert len(received) == 3
    await here.queue.fail(received[0], 1)
    await here.queue.acknowledge(received)


def test_every_call_is_signed_as_aws_wants_it(aws_url: str) -> None:
    async def scene() -> None:
        async with place(aws_url) as here:  # made before anything is verified
            with verifying_signatures(aws_url) as (key_id, secret):
                here.aws._keys = AwsKeys(key_id, secret)
                await everything(here)
                here.aws._keys = AwsKeys(key_id, secret[:-1] + ("a" if secret[-1] != "a" else "b"))
                for attempt in (
                    lambda: here.facts.write(Commit(KEY, 0, NOW, busy=NOW)),
                    lambda: here.facts.read(KEY),
                    lambda: here.versions.set_live(LIVE),
                    lambda: here.queue.send([Send(Resume("main", "e1", 0))]),
                    lambda: here.queue.receive(1, 0),
                    lambda: here.blobs.put(b"other"),
                ):
                    with pytest.raises(StoreError, match="keys"):
                        await attempt()

    asyncio.run(scene())

"""Where a process may die: every call to the world, before and after it took effect; and what must be so afterwards."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.engine.records import Status
from tests.simulation.small import small
from tests.worker.canon import CANON, Story
from tests.worker.lives import DiedError, Life, Trap, World, path_of, replay

STORIES = sorted(CANON)


@dataclass(frozen=True)
class Point:
    """Die at this call (from 1), before or after it took effect."""

    call: int
    is_after: bool

    def __str__(self) -> str:
        return f"call {self.call}, {'after' if self.is_after else 'before'} it took effect"


@dataclass(frozen=True)
class Ended:
    """How a story ended: its status, its steps, its output."""

    status: Status
    steps: dict[str, str]
    output: Any


@dataclass
class Whole:
    """A story that nobody disturbed: how it ends, and how many calls that takes."""

    ended: list[Ended]
    calls: int


async def begin(story: Story, world: World) -> Any:
    plan = await world.publish(story.text)
    if story.child:
        await world.publish(story.child)
    world.deeds = [replace(each) for each in story.deeds]
    start = None
    for _ in range(story.times):
        start = await world.accept(plan, keyed=story.keyed)
    return plan, start


def told(details: Any) -> dict[str, str]:
    return {step.id: step.status for step in details.steps}


async def ends_of(world: World) -> list[Ended]:
    found = [await world.details(execution) for execution in world.started]
    return [Ended(each.image.status, told(each), each.output) for each in found]


async def undisturbed(story: Story) -> Whole:
    with small():
        world = World(**story.script)
        await begin(story, world)
        life = Life(world)
        await life.work()
        return Whole(await ends_of(world), life.trap.count)


def points(calls: int) -> Iterator[Point]:
    """Every point of a life that makes so many calls."""
    for call in range(1, calls + 1):
        yield Point(call, is_after=False)
        yield Point(call, is_after=True)


Opened = Callable[[World], Awaitable[int]]
"""Opens the world's store again, as a new process does; its boot."""


async def die(world: World, deaths: tuple[Point, ...], *, boots: bool, opened: Opened | None = None) -> tuple[int, int]:
    """One life after another, each dying at its point (unless all has ended before), and a last one.

    Returns how many of the points were met, and the boot of the last life.
    """
    met = boot = 0
    for number, point in enumerate((*deaths, None), 1):
        boot = number if boots else 1
        if opened is not None:
            boot = await opened(world)
        trap = Trap(point.call, after=point.is_after) if point is not None else Trap()
        life = Life(world, trap, boot=boot)
        with suppress(DiedError):
            if boots and number > 1:
                await life.resume_all()
            await life.work()
        met += trap.is_dead
    return met, boot


async def look(world: World, story: Story, whole: Whole, where: str, *, boot: int) -> None:
    """Everything has ended, in the same way, and nothing was done twice; each message once more changes nothing."""
    await look_at_effects(world, story, where)
    ended = await ends_of(world)
    for found, expected in zip(ended, whole.ended, strict=True):
        assert found.status.is_terminal, f"{where}: lost, it stays {found.status.word}"
        if not story.varies:
            assert found == expected, f"{where}: it ended otherwise: {found}"
    assert await world.heads() == [], f"{where}: something is left"
    await replay(world, boot=boot)


async def look_at_effects(world: World, story: Story, where: str = "") -> None:
    """I2, I3, I4: what was sent is what was recorded, once where it may be once, and one body for each request."""
    bodies = defaultdict(set)
    for each in world.server.seen:
        if each.method != "GET":
            bodies[path_of(each)].add(each.body)
    for path, sent in bodies.items():
        assert len(sent) == 1, f"I4: {where}: {path} was sent with {len(sent)} bodies"
    for path in story.once:
        assert len(world.server.effects(path)) <= 1, f"I3: {where}: {path} was sent twice"
    for execution in world.started:
        details = await world.details(execution)
        values = {step.id: step.output for step in details.steps}
        for step in details.steps:
            given = (
                step.input["json"] if isinstance(step.input, dict) and isinstance(step.input.get("json"), dict) else {}
            )
            is_plain = isinstance(values.get("read"), dict) and step.id in {"put", "post", "charge"}
            if "n" in given and is_plain and "look" not in values and isinstance(given["n"], int):
                source = values["side"] if "side" in values and step.id == "put" else values["read"]
                assert given["n"] == source["body"]["n"], f"I2: {where}: it ran on a value that is not the recorded one"


async def tried(
    name: str,
    deaths: tuple[Point, ...],
    whole: Whole,
    *,
    boots: bool = True,
    world: World | None = None,
    opened: Opened | None = None,
) -> int:
    """So many deaths, one after the other, and a last life; how many of them came.

    `boots` says whether each life is a new boot of the embedded server, which takes up what it finds; else what was in
    hand comes again by the queue.
    """
    story = CANON[name]
    with small():
        world = world or World(**story.script)
        if opened is not None:
            await opened(world)
        await begin(story, world)
        met, boot = await die(world, deaths, boots=boots, opened=opened)
        where = f"{name}, {'restarted' if boots else 'redelivered'}: {'; then '.join(map(str, deaths))}"
        await look(world, story, whole, where, boot=boot)
    return met

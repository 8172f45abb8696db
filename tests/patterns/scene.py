"""The patterns' flows on a whole worker: what was asked of the outside, and in which order."""

import asyncio
import json
from pathlib import Path
from typing import Any

from chalicelib.engine.records import RecordKey, Status
from chalicelib.ports import Details, HttpAnswer, Listing, Signal
from tests.worker.house import House

FLOWS = Path(__file__).parent / "flows"


def text_of(name: str) -> str:
    return (FLOWS / f"{name}.yaml").read_text()


class Scene:
    """A house where the flows of one pattern are published, and what its executions did to the outside."""

    def __init__(self, **answers: Any) -> None:
        """Answers by path, slashes written as two underscores; a path without one answers `{"id": <path>}`."""
        self.house = House()
        self.log: list[str] = []
        """`<method> <path>` when a request leaves, `answered <path>` when its answer comes."""
        self.answers = {path.replace("__", "/").replace("_", "-"): answer for path, answer in answers.items()}
        self.seconds: dict[str, float] = {}
        """How long an answer takes, by path."""
        self.held: dict[str, str] = {}
        """A path whose answer is held back until that other path was answered (or for very long)."""
        self.house.http.answers = _Everywhere(self)

    async def begin(self, name: str, inputs: dict[str, Any] | None = None, *others: str) -> str:
        """Publish the flow and those it calls, and have it accepted; the execution's id."""
        for other in others:
            await self.house.publish(text_of(other))
        return (await self.house.enter(text_of(name), inputs, respond="accepted")).execution

    async def run(self, name: str, inputs: dict[str, Any] | None = None, *others: str) -> Details:
        """The same, to its end and that of whatever it started."""
        execution = await self.begin(name, inputs, *others)
        await self.house.drain()
        return await self.house.details(execution)

    async def executions(self, flow: str) -> list[Details]:
        """Every execution of a flow, the oldest first."""
        page = await self.house.facts.page(Listing("main", flow))
        return [await self.house.details(each.id) for each in reversed(page.items)]

    async def status(self, execution: str) -> Status:
        image = await self.house.facts.read(RecordKey("main", execution))
        assert image is not None
        return image.status

    async def signal(self, address: str, port: str, value: Any = None) -> None:
        """Answer what a link leads to."""
        link = await self.house.door.read_link(address.rpartition("/")[2])
        await self.house.door.signal(link, Signal(port, value))

    @property
    def sent(self) -> list[str]:
        """The paths that were asked, in order."""
        return [line.partition(" ")[2] for line in self.log if not line.startswith("answered ")]

    def body(self, path: str) -> Any:
        """What was sent to a path, the last time."""
        request = next(each for each in reversed(self.house.http.sent) if _path(each.url) == path)
        return json.loads(request.body)


class _Everywhere(dict[str, Any]):
    """Answers for every path, from the scene."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def get(self, path: str, default: Any = None) -> Any:
        return self._answer

    async def _answer(self, request: Any) -> HttpAnswer:
        scene, path = self._scene, _path(request.url)
        scene.log.append(f"{request.method} {path}")
        for _ in range(5_000 if path in scene.held else 0):
            if f"answered {scene.held[path]}" in scene.log:
                break
            await asyncio.sleep(0)
        await scene.house.clock.sleep(scene.seconds.get(path, 0.01))
        scene.log.append(f"answered {path}")
        answer = scene.answers.get(path, {"id": path})
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return HttpAnswer(200, (("content-type", "application/json"),), json.dumps(answer).encode())


def _path(url: str) -> str:
    return url.split("://", 1)[1].partition("/")[2].partition("?")[0]


def statuses(details: Details) -> dict[str, str]:
    return {step.id: step.status for step in details.steps}


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)

"""Keeps what is published the same as the files in a folder: all at the start, then each as it changes."""

import logging
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chalicelib.errors import PenstockError, Problem, UsageError
from chalicelib.local.folder import flow_files, is_flow_file, name_of, read_to_publish
from chalicelib.local.inside import Inside

log = logging.getLogger(__name__)

CONTENT_TYPES = {".json": "application/json"}
YAML = "application/yaml"


@dataclass(frozen=True, slots=True)
class Published:
    """A file whose flow is published; `answer` is what the API said of it."""

    path: Path
    answer: dict[str, Any]

    @property
    def flow(self) -> str:
        """The flow's name."""
        return str(self.answer["flow"])


class Shelf:
    """The flow files of one folder, seen by a server."""

    def __init__(self, inside: Inside, folder: Path, note: Callable[[str], None]) -> None:
        """`note` is told, line by line, what became of files."""
        self._inside = inside
        self._folder = folder
        self._note = note
        self._files: dict[str, Path] = {}

    async def publish_all(self) -> list[Published]:
        """Publish every file there is; those that cannot be are told of, and what was published before stays."""
        published: list[Published] = []
        for path in flow_files(self._folder):
            done = await self._try(path)
            if done is not None:
                published.append(done)
        return published

    async def follow(self, changes: AsyncIterable[Iterable[Path]]) -> None:
        """Publish what changes, for as long as changes come."""
        async for paths in changes:
            for path in sorted(set(paths)):
                if is_flow_file(path):
                    await self.look(path)

    async def look(self, path: Path) -> None:
        """A file is new, or other than it was, or gone."""
        if not _is_there(path):
            self._gone(path)
            return
        done = await self._try(path, is_reload=True)
        if done is None:
            return
        for line in _warnings(done):
            self._note(line)
        if done.answer["changed"]:
            self._note(f"{path}: {done.flow} is now {str(done.answer['version'])[:12]}")

    async def publish(self, path: Path) -> Published:
        """Publish one file; raises what the API raises, each problem with the file's name."""
        document = read_to_publish(path)
        name = name_of(document, path)
        other = self._files.get(name)
        if other is not None and other != path and other.exists():
            raise UsageError(f"{path}: the flow {name} is in {other} too. Give one of them another name.")
        kind = CONTENT_TYPES.get(path.suffix.lower(), YAML)
        try:
            answer = await self._inside.ask(
                "PUT", f"/api/v1/flows/{quote(name, safe='')}", body=document.text.encode(), content_type=kind
            )
        except PenstockError as error:
            raise in_file(error, path) from error
        self._files[name] = path
        return Published(path, answer)

    async def _try(self, path: Path, *, is_reload: bool = False) -> Published | None:
        try:
            return await self.publish(path)
        except PenstockError as error:
            for each in error.problems or (error.detail,):
                self._note(str(each))
            known = any(other == path for other in self._files.values())
            if is_reload:
                self._note(f"{path}: not published; {'the version before it stays' if known else 'mend it and save'}")
        except Exception:  # one file's bug must not end the watch over the others
            log.exception("%s met a bug.", path)
        return None

    def _gone(self, path: Path) -> None:
        for flow, known in list(self._files.items()):
            if known == path:
                del self._files[flow]
                self._note(f"{path} is gone; {flow} stays published: `penstock flows disable {flow}` switches it off")


def in_file(error: PenstockError, path: Path) -> PenstockError:
    """The error with each problem in the file it came from: the API knows the text, and not where it lay."""
    return type(error)(error.detail, problems=[replace(each, where=str(path)) for each in error.problems])


def _is_there(path: Path) -> bool:
    return path.exists()


def _warnings(done: Published) -> Iterator[str]:
    for each in done.answer.get("warnings", ()):
        yield f"{Problem(str(done.path), each['line'], each['column'], each['what'], each['do'])}  (a warning)"

"""An execution's steps, as a table that changes or as lines, on stderr."""

import sys
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from chalicelib.cli.printing import console, note, short, shown

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

STYLES = {
    "succeeded": "green",
    "failed": "red",
    "unknown": "red",
    "running": "yellow",
    "retrying": "yellow",
    "waiting": "cyan",
    "ending": "yellow",
    "queued": "cyan",
    "paused": "cyan",
    "timed_out": "red",
    "cancelled": "magenta",
}
"""Colours of statuses; what is not here is dim: nothing has happened, or will."""
_STILL = frozenset({"pending", "not_run"})
_HELD = frozenset({"queued", "paused"})
"""Statuses of an execution that nothing moves by itself: said once, so that a watch does not look stuck."""


class Watch:
    """Shows how an execution goes: one live table on a terminal, a line for each change where there is none."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._live: Live | None = None
        self._known: dict[str, tuple[str, str]] = {}
        self._status = ""

    def __enter__(self) -> "Watch":
        if self._is_live:
            from rich.live import Live  # imported late: it is slow to import

            self._live = Live(console=console(sys.stderr), refresh_per_second=10, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def look(self, execution: dict[str, Any]) -> None:
        """Show how it stands now."""
        if self._live is not None:
            self._live.update(table_of(execution))
            return
        for step in execution["steps"]:
            stands = (step["status"], step.get("link") or "")  # a link can be there a moment later
            if self._known.get(step["id"], ("pending", "")) != stands and step["status"] not in _STILL:
                note(line_of(step))
            self._known[step["id"]] = stands
        status = execution["status"]
        if status != self._status and status in _HELD:
            note(f"{status:<10} {execution['flow']}  {execution['id']}")
        self._status = status


def table_of(execution: dict[str, Any]) -> "Table":
    """The steps as a table."""
    from rich import box  # imported late, as above
    from rich.table import Table
    from rich.text import Text

    status = execution["status"]
    title = Text.assemble(f"{execution['flow']}  {execution['id']}  ", (status, STYLES.get(status, "dim")))
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("step", "uses", "status", "tries", "took", "what came out"):
        table.add_column(name, no_wrap=name != "what came out", overflow="ellipsis")
    for step in execution["steps"]:
        style = STYLES.get(step["status"], "dim")
        tries = str(len(step["attempts"])) if step["attempts"] else ""
        table.add_row(
            step["id"], step["uses"], Text(step["status"], style), tries, took(step), Text(shown(outcome(step)))
        )
    return table


def line_of(step: dict[str, Any]) -> str:
    """A step as one line."""
    parts = [f"{step['status']:<10} {step['id']}", step["uses"], took(step), shown(outcome(step))]
    return "  ".join(part for part in parts if part)


def outcome(step: dict[str, Any]) -> str:
    """What came of a step: its value, or why it failed; with the port it left by, where that says something."""
    failure = step["failure"]
    if failure is not None:
        return f"{failure.get('code', '')}: {failure.get('message', '')}"
    if step["status"] != "succeeded":
        return "  ".join(_waits_for(step))
    port = f"{step['port']} " if step["port"] not in {None, "done"} else ""
    return f"{port}{short(step['output'])}"


def _waits_for(step: dict[str, Any]) -> Iterator[str]:
    """What moves a step that is not settled: a time, somebody's answer, another execution."""
    if step.get("due"):
        yield f"until {step['due']}"
    if step.get("link"):
        yield f"answer at {step['link']}"
    if step.get("child"):
        yield f"for execution {step['child']}"


def took(step: dict[str, Any]) -> str:
    """How long a step took, first attempt to last; empty while it runs."""
    started, ended = step["started"], step["ended"]
    if started is None or ended is None:
        return ""
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds / 60:.1f} min"

"""What all stages of one invocation share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.ledger import Ledger
from chalicelib.worker.redaction import Secrets
from chalicelib.worker.tools import Tools


@dataclass(slots=True)
class Later:
    """A step that goes on in another invocation, and when at the earliest (epoch milliseconds)."""

    step: str
    due: int


@dataclass(slots=True)
class Course:
    """One invocation's work on one execution."""

    tools: Tools
    plan: Plan
    head: Ledger
    budget: Budget
    document: dict[str, Json]
    """What every expression may name: `trigger`, `inputs`, `vars`, `execution`."""
    started: int
    """When the execution was accepted, in epoch milliseconds."""
    started_by: str = ""
    """The trigger that started it; empty where it was started with inputs alone."""
    named: frozenset[str] | None = None
    """The steps the message is for: these, and what follows from them, are ours to start. None: all are."""
    on_response: Callable[[Json], None] | None = None
    """Told the value of a `respond` step once it is recorded."""
    secrets: Secrets = field(default_factory=Secrets)
    later: list[Later] = field(default_factory=list[Later])
    """Steps to be sent for, once what they need is recorded."""
    held: dict[str, int] = field(default_factory=dict[str, int])
    """Steps of ours that another worker holds, and until when."""
    is_stopped: bool = False
    """Nothing more may be started: the record says so, or a failure is nobody's to handle."""

    @property
    def execution(self) -> str:
        """The execution's id."""
        return self.head.key.execution

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.head.key.tenant

    def below(self, sources: set[str]) -> set[str]:
        """Every step that depends on one of these, directly or through others."""
        found: set[str] = set()
        todo = list(sources)
        while todo:
            for each in self.plan.dependents.get(todo.pop(), ()):
                if each not in found:
                    found.add(each)
                    todo.append(each)
        return found

    def now(self) -> int:
        """Epoch milliseconds."""
        return to_milliseconds(self.tools.clock.now())

"""What all stages of one invocation share."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import ClassVar

from chalicelib.errors import PenstockError
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.flow.values import Json
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.ledger import Ledger
from chalicelib.worker.redaction import Secrets
from chalicelib.worker.tools import Tools

log = logging.getLogger("penstock.worker")

MARGIN_SECONDS = 20.0
"""What a fresh invocation spends before and after its longest step."""


async def learn_secrets(tools: Tools, plan: Plan, tenant: str, secrets: Secrets) -> None:
    """Know every secret that a flow's steps may open, so that it is masked wherever it comes back."""
    for name in sorted({step.credential for step in plan.by_id.values() if step.credential}):
        try:
            secrets.add_credential(await tools.credentials.open(tenant, name, flow=plan.flow))
        except PenstockError:
            log.info("The credential `%s` cannot be opened to mask it.", name)


@dataclass(slots=True)
class Later:
    """A step that goes on in another invocation, and when at the earliest (epoch milliseconds)."""

    NEVER: ClassVar[int] = 1 << 62
    """`due` of what goes on when somebody else says so, and not by itself."""

    step: str
    due: int
    is_known: bool = False
    """Recorded before this invocation began: whoever recorded it has sent for it, and the sweeper knows the moment.
    Were each delivery that comes too early to send another, duplicates would never die out."""


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
    deadline: int = 0
    """When it is to be over, in epoch milliseconds; 0: whenever."""
    secrets: Secrets = field(default_factory=Secrets)
    later: list[Later] = field(default_factory=list[Later])
    """Steps to be sent for, once what they need is recorded."""
    held: dict[str, int] = field(default_factory=dict[str, int])
    """Steps of ours that another worker holds, and until when."""
    is_stopped: bool = False
    """Nothing more may be started: the record says so, or a failure is nobody's to handle."""
    is_continued: bool = False
    """Other invocations have worked on it, or do."""
    _learning: asyncio.Task[None] | None = None

    @property
    def is_overdue(self) -> bool:
        """Whether its deadline has passed."""
        return self.deadline > 0 and self.now() >= self.deadline

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

    async def learn(self) -> None:
        """Know the secrets that earlier invocations opened, so that no answer carries them into the record."""
        if self.is_continued:
            if self._learning is None:
                self._learning = asyncio.get_running_loop().create_task(self._open_credentials())
            await asyncio.shield(self._learning)

    async def _open_credentials(self) -> None:
        await learn_secrets(self.tools, self.plan, self.tenant, self.secrets)

    def timeout_of(self, step: StepPlan) -> float:
        """Seconds that an attempt may take: what the step says, as far as one invocation can hold it."""
        return min(step.timeout_seconds, self.tools.settings.invocation_seconds - MARGIN_SECONDS)

    def now(self) -> int:
        """Epoch milliseconds."""
        return to_milliseconds(self.tools.clock.now())

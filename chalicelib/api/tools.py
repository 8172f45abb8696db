"""What the front door works with: ports, and the deployment's settings."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from chalicelib.api.auth import Caller, Keys, Role
from chalicelib.api.refusal_tally import RefusalTally
from chalicelib.api.request import Request
from chalicelib.api.routes import Route
from chalicelib.api.sender_hosts import SenderHosts
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports import Blobs, Clock, Credentials, Door, Facts, Ids, Live, Plans, Versions

if TYPE_CHECKING:
    from chalicelib.ports.plugins import Plugins

NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})


async def tell_nobody(live: Live, plan: Plan) -> None:
    """Where nothing outside depends on what is published."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this deployment is set up."""

    base_url: str = ""
    """Where the outside finds us, without a slash at its end; empty: answers carry addresses without a host."""
    limit_bytes: int = 1_000_000
    """The largest body."""
    wait_seconds: float = 25.0
    """How long an asker may wait; API Gateway ends a request after 29 s (quotas for REST APIs)."""
    stage_vars: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """This stage's values of `vars`, put into every version that is published."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What wiring brings. `facts` is asked for pages only."""

    door: Door
    plans: Plans
    versions: Versions
    facts: Facts
    blobs: Blobs
    credentials: Credentials
    clock: Clock
    ids: Ids
    keys: Keys
    settings: Settings = Settings()
    sender_hosts: SenderHosts | None = None
    """Where senders' certificates are fetched; None: schemes that need one answer that they cannot verify."""
    refusals: RefusalTally | None = None
    """Where refused deliveries are counted; None: nowhere."""
    plugins: "Plugins | None" = None
    """What strangers' nodes are installed; None where none run."""
    on_published: Callable[[Live, Plan], Awaitable[None]] = tell_nobody
    """Told whenever a flow's pointer was written, and again when the same version is published again: schedules."""


class Call(NamedTuple):
    """One request on its way to its handler."""

    request: Request
    tools: Tools
    route: Route
    names: Mapping[str, str]
    """What stands in the path, decoded."""
    caller: Caller | None
    """Who asks; None on a public route."""
    query: Mapping[str, Json] = NOTHING
    """The declared query parameters that were given, or have a default."""
    body: Mapping[str, Json] = NOTHING
    """The declared fields of the body."""

    @property
    def tenant(self) -> str:
        """Whose data this is about: the caller's, never what a request says."""
        if self.caller is None:
            raise TypeError(f"{self.route.path} is public and has no tenant")
        return self.caller.tenant

    @property
    def who(self) -> str:
        """The key's id."""
        return self.caller.id if self.caller is not None else ""

    def may(self, role: Role) -> bool:
        """Whether the caller has this role."""
        return self.caller is not None and self.caller.role >= role


def execution_url(settings: Settings, execution: str) -> str:
    """Where an execution can be looked at."""
    return f"{settings.base_url}/api/v1/executions/{execution}"

"""One row of the table of routes."""

from typing import Final, NamedTuple

from chalicelib.api.auth import Role

_EXECUTION: Final = "/api/v1/executions/{id}"


class Route(NamedTuple):
    """One address and what it does.

    Attributes:
        methods: those that lead here; HEAD is answered where GET is, OPTIONS everywhere.
        path: the template; `{name}` takes one segment.
        handler: `module:function` in this room.
        role: the least role that may; None: public.
        summary: one sentence.
        gives: each status it answers with, and the schema of that answer's body in `schemas`, empty for none.
        query: the schema of its query parameters, empty for none; `*`: query and body are a stranger's, and the
            handler reads both itself.
        takes: the schema of its JSON body; empty for none, `*` for bytes that the handler reads itself.
        is_page: people open it too: the answer is a page, the body a form, where they ask for that.
        takes_scoped_keys: keys with scopes may come, though neither a flow nor an execution stands in the path: the
            handler leaves out what is not there for them. Else they are refused.
    """

    methods: tuple[str, ...]
    path: str
    handler: str
    role: Role | None
    summary: str
    gives: tuple[tuple[int, str], ...]
    query: str = ""
    takes: str = ""
    is_page: bool = False
    takes_scoped_keys: bool = False

    @property
    def is_about_execution(self) -> bool:
        """Whether an execution's id stands in its path."""
        return self.path.startswith(_EXECUTION)

    @property
    def is_hook(self) -> bool:
        """Whether deliveries come here: what the trigger says decides which methods it takes."""
        return self.handler == "hooks:receive"

    @property
    def reads_itself(self) -> bool:
        """Whether strangers knock here: the query and the body are theirs, and the handler's to read."""
        return self.query == "*"

"""The API as one callable: find the route, see who asks, read what was sent, answer; every error as problem+json."""

import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from importlib import import_module
from typing import Any, Final, TypeAlias, cast

from chalicelib.api.answer_headers import guarded
from chalicelib.api.auth import Caller
from chalicelib.api.content import refuse_head, refuse_size
from chalicelib.api.problems import problem, problem_of
from chalicelib.api.request import Answer, Request
from chalicelib.api.router import Router, allowed, route_at
from chalicelib.api.routes import Route
from chalicelib.api.tools import NOTHING, Call, Tools
from chalicelib.errors import MethodNotAllowedError, NotFoundError, PenstockError

Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]

_ROOM: Final = "chalicelib.api"
_CLOSED: Final = "/api/"
_HOOKS: Final = ("/hooks/", "/t/")
_log = logging.getLogger("penstock.api")


class Api:
    """Answers every request, whatever it is; only cancellation gets out."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._router = Router()
        self._handlers: dict[str, Handler] = {}
        self._is_encrypted = tools.settings.base_url.startswith("https://")

    async def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        try:
            answer = await self._answer(request)
        except PenstockError as error:
            answer = self.refusal(error)
        except Exception as error:  # noqa: BLE001 - the border: whatever went wrong in one request, the server goes on
            answer = self._mishap(error)
        answer = self.guarded(answer, is_flows=request.path.startswith(_HOOKS))
        if request.method == "HEAD":  # RFC 9110 section 9.3.2: the same headers, no body
            return Answer(answer.status, (*answer.headers, ("content-length", str(len(answer.body)))))
        return answer

    @property
    def largest_body(self) -> int:
        """Bytes after which a host may stop reading: one more, and the answer is 413."""
        return self._tools.settings.limit_bytes

    def guarded(self, answer: Answer, *, is_flows: bool = False) -> Answer:
        """The answer with what every answer says to browsers; a host uses it for answers of its own."""
        return guarded(answer, is_encrypted=self._is_encrypted, is_flows=is_flows)

    def refusal(self, error: PenstockError) -> Answer:
        """An error as an answer; a host uses it for what goes wrong before there is a request."""
        if error.status >= 500:
            _log.warning("refused: %s: %s", error.code, error.detail)
        return problem_of(error)

    async def _answer(self, request: Request) -> Answer:
        refuse_head(request)
        match = self._router.match(request.path)
        # Whoever has no key learns nothing under /api/ but that: not what there is, nor what an address takes.
        is_closed = request.path.startswith(_CLOSED) and not (match and all(map(_is_public, match.routes.values())))
        known = None
        if is_closed:
            from chalicelib.api.admission import identify  # imported late: strangers' deliveries need none of it

            known = await identify(request, self._tools, route_at(match, request.method))
        if match is None or not any(route.is_hook for route in match.routes.values()):  # hooks count what they refuse
            refuse_size(request, self.largest_body)
        if match is None:
            raise NotFoundError("There is nothing at this address. GET /api/v1/openapi.json lists what there is.")
        method, route = request.method, route_at(match, request.method)
        if route is None:
            methods = allowed(match.routes)
            if method == "OPTIONS":
                return Answer(204, (("allow", ", ".join(methods)),))
            raise MethodNotAllowedError(f"This address takes {', '.join(methods)}, not {method[:20]}.", allow=methods)
        call = Call(request, self._tools, route, match.names, None)
        if route.role is None:
            return await self._carry_out(call)
        from chalicelib.api.admission import admit, identify  # imported late: strangers' deliveries need none of it

        known = known or await identify(request, self._tools, route)
        admitted = await admit(call._replace(caller=known.caller), known)
        try:
            return await self._noting_use(known.caller, self._carry_out(admitted.call))
        except PenstockError as error:
            await admitted.failed(error.code)
            raise
        except Exception:
            await admitted.failed("internal")
            raise

    async def _noting_use(self, caller: Caller, work: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer; where the use of the key is to be noted, that is done beside it, and is over when it is."""
        noting = self._tools.keys.used(caller)
        if noting is None:
            return await work
        import asyncio  # imported late: keys are noted once an hour

        answer, noted = await asyncio.gather(work, noting, return_exceptions=True)
        if isinstance(noted, BaseException):
            _log.warning("the use of key %s could not be noted: %s", caller.id, type(noted).__name__)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _carry_out(self, call: Call) -> Answer:
        """Read what was sent, and let the handler answer."""
        request, route = call.request, call.route
        if not route.reads_itself:
            from chalicelib.api.reading import read_body, read_parameters  # imported late: hooks read theirs themselves

            is_read = route.takes != "*" and request.method not in {"GET", "HEAD"}
            body = read_body(request, route.takes) if is_read else NOTHING
            call = call._replace(query=read_parameters(request, route.query), body=body)
        return await self._handler(route)(call)

    def _handler(self, route: Route) -> Handler:
        handler = self._handlers.get(route.handler)
        if handler is None:
            handler = self._handlers[route.handler] = handler_of(route)
        return handler

    def _mishap(self, error: Exception) -> Answer:
        """A bug: logged by its kind and its place, since its message may hold what must not be logged."""
        incident = self._tools.ids.token()[:10]
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        _log.error("incident %s: %s at %s", incident, type(error).__name__, places)
        return problem(
            500,
            "internal",
            "Something went wrong here",
            f"This is a fault of ours. The server's log tells more under {incident}.",
            facts={"incident": incident},
        )


def handler_of(route: Route) -> Handler:
    """The function that a route names; its module is imported now."""
    module, _, function = route.handler.partition(":")
    return cast("Handler", getattr(import_module(f"{_ROOM}.{module}"), function))


def _is_public(route: Route) -> bool:
    return route.role is None

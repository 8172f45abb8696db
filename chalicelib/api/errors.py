"""Errors of the front door alone; what every room knows stands in `chalicelib.errors`."""

from collections.abc import Sequence

from chalicelib.errors import CallerError, WorldError
from chalicelib.kit.rates import Rate
from chalicelib.problems import Problem


class RateLimitedError(CallerError):
    """This came too often. Wait as long as Retry-After says, then try again."""

    code = "rate_limited"
    status = 429

    def __init__(
        self,
        detail: str = "",
        *,
        policy: str = "",
        rate: Rate | None = None,
        wait: int = 0,
        problems: Sequence[Problem] = (),
    ) -> None:
        """Name the policy (`hook`, `peer`, `key`), its rate, and the milliseconds to wait."""
        super().__init__(detail, problems=problems, retry_after=wait / 1000)
        self.policy = policy
        self.rate = rate


class AddressTooLongError(CallerError):
    """The address is too long. Send what it carries in the body."""

    code = "address_too_long"
    status = 414


class HeadersTooLargeError(CallerError):
    """The request has too many headers, or too large ones. Send fewer."""

    code = "headers_too_large"
    status = 431


class RequestTooSlowError(CallerError):
    """The request did not come whole in time. Send it again, faster."""

    code = "request_too_slow"
    status = 408


class CrossSiteError(CallerError):
    """Another site may have sent this in your name. Send it from the console, or with a key."""

    code = "cross_site"
    status = 403


class AuditUnwrittenError(WorldError):
    """What was asked for was not done, because it could not be written into the audit log first. Try again."""

    code = "audit_unwritten"
    status = 503

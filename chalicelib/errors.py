"""Every error Penstock raises.

PenstockError
├── CallerError              the caller can fix it               never retried            4xx
│   ├── UsageError               the request is not one we understand
│   ├── FlowTextError            the file cannot be read as YAML or JSON (carries problems)
│   ├── FlowCheckError           the flow has mistakes (carries problems)
│   ├── ParameterError           a step's parameters do not fit its node
│   ├── ExpressionError          an expression cannot be evaluated
│   ├── MissingValueError        an expression found nothing where a value is needed
│   ├── NodeUnknownError         no node has this type
│   ├── NotFoundError            nothing is stored under this name
│   ├── MethodNotAllowedError    the address exists, the method does not
│   ├── BodyTooLargeError        the body is over the limit
│   ├── BodyUnreadableError      the body is not what its content type says
│   ├── UnauthenticatedError     no valid key
│   ├── ForbiddenError           the key may not do this
│   ├── SignatureMissingError    a delivery without its signature
│   ├── SignatureWrongError      a delivery whose signature does not match
│   ├── DeliveryStaleError       a delivery signed outside the time window
│   ├── SigningError             a request that must not be signed
│   ├── CredentialMissingError   no credential has this name
│   ├── CredentialUnfitError     the credential lacks a field, or may not go to this host
│   ├── AddressRefusedError      an address that a flow may not call
│   ├── HostNotListedError       a host that is not on the deployment's list
│   ├── OwnAddressError          a flow would call the deployment that runs it
│   ├── FlowDisabledError        the flow is switched off
│   ├── LinkWrongError           no such link was ever made, or it was altered
│   ├── LinkExpiredError         the time in which the link could be used is over
│   ├── RedriveRefusedError      the execution cannot be redriven so; the message says why
│   ├── NotBuiltYetError         known, and refused by name until it exists
│   ├── StepFailedError          what the service or the node answered cannot be mended by trying again
│   └── SettingError             the deployment's configuration is wrong
├── WorldError               the outside world misbehaved        retried                  502
│   ├── ServiceError             the service answered with a failure that may pass
│   ├── NotSentError             the request certainly did not leave
│   ├── CutOffError              the connection ended before the answer did: the outcome is unknown
│   ├── TimedOutError            no answer in time: the outcome is unknown
│   ├── AnswerTooLargeError      the answer is over the limit
│   ├── StoreError               the store or the queue did not do what it was asked
│   └── WorkerMishapError        this worker could not do its work; another try may
└── ConflictError            somebody else moved first           look again now           409
    ├── AlreadyExistsError       something else is stored under this name
    ├── DeliveryConflictError    the same delivery id came with another body
    ├── LeaseLostError           another worker holds this step
    ├── LinkUsedError            the link was used before
    ├── ExecutionOngoingError    the execution has not ended
    └── ExecutionEndedError      the execution has ended

Beside these, straight below PenstockError, stand those of `penstock deploy`, where they are raised (`infra/`):
DeployError, ProvisionError, VendorError.

Anything else that is raised is a bug, and is logged as one. Each message says what happened, where, and what to do;
never a secret, never a body.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chalicelib.problems import Problem


class PenstockError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    retry: ClassVar[bool] = False

    def __init__(
        self, detail: str = "", *, problems: Sequence[Problem] = (), retry_after: float | None = None, **facts: object
    ) -> None:
        """Say what happened; without a detail the docstring says it.

        Args:
            detail: the sentence a person reads.
            problems: the places at fault, where there are several.
            retry_after: seconds the other side asked us to wait.
            facts: further fields for a program that reads the error; never a secret or a body.
        """
        super().__init__(detail or (type(self).__doc__ or ""))
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.retry_after = retry_after
        self.facts: Mapping[str, object] = facts

    @property
    def detail(self) -> str:
        """The sentence a person reads."""
        return str(self.args[0])


class CallerError(PenstockError):
    """The request cannot be carried out as written."""

    code = "invalid"
    status = 400


class UsageError(CallerError):
    """The request is not one we understand. Compare it with the API's description."""

    code = "usage"


class FlowTextError(CallerError):
    """The flow file cannot be read. Mend the places named."""

    code = "flow_text"
    status = 422


class FlowCheckError(CallerError):
    """The flow has mistakes. Mend the places named; nothing was stored."""

    code = "flow_check"
    status = 422


class ParameterError(CallerError):
    """A step's parameters do not fit its node. Compare them with the node's page."""

    code = "parameter"
    status = 422


class ExpressionError(CallerError):
    """An expression cannot be evaluated. Mend the expression named."""

    code = "expression"
    status = 422


class MissingValueError(CallerError):
    """An expression found nothing where a value is needed. If it may be missing, say $default(x, ...)."""

    code = "missing"
    status = 422


class NodeUnknownError(CallerError):
    """No node has this type. Check the spelling, or `penstock nodes list`."""

    code = "node_unknown"
    status = 404


class NotFoundError(CallerError):
    """Nothing is stored under this name. Check the spelling."""

    code = "not_found"
    status = 404


class MethodNotAllowedError(CallerError):
    """This address does not take this method. The Allow header names those it takes."""

    code = "method_not_allowed"
    status = 405


class BodyTooLargeError(CallerError):
    """The body is over the limit. Send less, or send a reference."""

    code = "body_too_large"
    status = 413


class BodyUnreadableError(CallerError):
    """The body is not what its content type says. Mend the body or the Content-Type header."""

    code = "body_unreadable"


class UnauthenticatedError(CallerError):
    """No valid key. Send `Authorization: Bearer <key>`."""

    code = "unauthenticated"
    status = 401


class ForbiddenError(CallerError):
    """This key may not do this. Ask for a role that may."""

    code = "forbidden"
    status = 403


class SignatureMissingError(CallerError):
    """The delivery carries no signature. Set the secret at the sender."""

    code = "signature_missing"
    status = 401


class SignatureWrongError(CallerError):
    """The delivery's signature does not match. Compare the secrets on both sides."""

    code = "signature_wrong"
    status = 401


class DeliveryStaleError(CallerError):
    """The delivery was signed outside the time window. Check the sender's clock; a replay is refused."""

    code = "delivery_stale"
    status = 401


class SigningError(CallerError):
    """This request must not be signed as it is. The message says which rule it breaks."""

    code = "signing"


class CredentialMissingError(CallerError):
    """No credential has this name. Set it, or mend the name in the flow."""

    code = "credential_missing"
    status = 422


class CredentialUnfitError(CallerError):
    """The credential lacks a field that is needed, or may not go to this host."""

    code = "credential_unfit"
    status = 422


class AddressRefusedError(CallerError):
    """A flow may not call this address. The deployment's configuration decides which private addresses are allowed."""

    code = "address_refused"
    status = 403


class HostNotListedError(CallerError):
    """The host is not among those that flows of this deployment may call. Add it to PENSTOCK_ONLY_HOSTS."""

    code = "host_not_listed"
    status = 403


class OwnAddressError(CallerError):
    """The address is this deployment's own. Start flows with `call`, or say `own: true` in a step that means it."""

    code = "own_address"
    status = 403


class FlowDisabledError(CallerError):
    """The flow is switched off. Enable it to start executions."""

    code = "flow_disabled"
    status = 409


class LinkWrongError(CallerError):
    """This link is none of ours: a part of it is missing or was altered. Open it exactly as it was sent."""

    code = "link_wrong"
    status = 404


class LinkExpiredError(CallerError):
    """The time in which this link could be used is over."""

    code = "link_expired"
    status = 410


class RedriveRefusedError(CallerError):
    """The execution cannot be redriven so."""

    code = "redrive_refused"
    status = 422


class NotBuiltYetError(CallerError):
    """This is known, but cannot be done yet."""

    code = "not_built_yet"
    status = 422


class StepFailedError(CallerError):
    """The step failed in a way that trying again does not mend."""

    code = "step_failed"
    status = 422


class SettingError(CallerError):
    """The deployment's configuration is wrong. The message names the setting."""

    code = "setting"
    status = 500


class WorldError(PenstockError):
    """The outside world misbehaved. Trying again may help."""

    code = "trouble"
    status = 502
    retry = True


class ServiceError(WorldError):
    """The service answered with a failure that may pass."""

    code = "service"


class NotSentError(WorldError):
    """The request did not leave: no connection to the service."""

    code = "not_sent"


class CutOffError(WorldError):
    """The connection ended before the answer did. Whether the service acted is unknown."""

    code = "cut_off"


class TimedOutError(WorldError):
    """No answer in time. Whether the service acted is unknown."""

    code = "timeout"
    status = 504


class AnswerTooLargeError(WorldError):
    """The answer is over the limit."""

    code = "answer_too_large"
    retry = False


class StoreError(WorldError):
    """The store or the queue did not do what it was asked."""

    code = "store"
    status = 503


class WorkerMishapError(WorldError):
    """This worker could not do its work; another try may."""

    code = "worker_mishap"
    status = 503


class ConflictError(PenstockError):
    """Somebody else moved first. Look again."""

    code = "conflict"
    status = 409
    retry = True


class AlreadyExistsError(ConflictError):
    """Something else is stored under this name."""

    code = "already_exists"
    retry = False


class DeliveryConflictError(ConflictError):
    """The same delivery id came before with another body. The first one counts."""

    code = "delivery_conflict"
    retry = False


class LeaseLostError(ConflictError):
    """Another worker holds this step."""

    code = "lease_lost"


class LinkUsedError(ConflictError):
    """This link was used before, and works once."""

    code = "link_used"
    retry = False


class ExecutionOngoingError(ConflictError):
    """The execution has not ended. Wait for its end, or cancel it first."""

    code = "execution_ongoing"
    retry = False


class ExecutionEndedError(ConflictError):
    """The execution has ended; nothing can change it any more."""

    code = "execution_ended"
    retry = False

"""What can go wrong between us and whoever gives out tokens."""

from chalicelib.errors import CallerError, ConflictError, WorldError


class CredentialNotConnectedError(CallerError):
    """The credential has no token yet, or one that nobody can renew. Run `penstock credentials connect`."""

    code = "credential_not_connected"
    status = 409


class TokenRefusedError(CallerError):
    """The service gives no token for this credential. Mend what it says, or connect the credential again."""

    code = "token_refused"
    status = 409


class TokenTroubleError(WorldError):
    """The service that gives out tokens did not answer as it should; another try may help."""

    code = "token_trouble"


class ConsentUnknownError(CallerError):
    """This belongs to no connection that was begun here. Begin again: `penstock credentials connect`."""

    code = "consent_unknown"


class ConsentExpiredError(CallerError):
    """The time for agreeing is over. Begin again: `penstock credentials connect`."""

    code = "consent_expired"
    status = 410


class ConsentDeniedError(CallerError):
    """The service, or whoever was asked there, did not agree. Begin again: `penstock credentials connect`."""

    code = "consent_denied"


class ConsentUsedError(ConflictError):
    """This connection was made, or refused, before: its address works once. Begin again if need be."""

    code = "consent_used"

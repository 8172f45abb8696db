"""What can be wrong with a sealed credential, in no more words than its owner needs."""

from chalicelib.errors import CallerError


class SealBrokenError(CallerError):
    """The credential was altered, or moved here from another name, version or tenant. Set it again."""

    code = "seal_broken"
    status = 409


class MasterKeyUnknownError(CallerError):
    """The credential is sealed under a master key that is not here. Bring its key back, or set the credential again."""

    code = "master_key_unknown"
    status = 409


class CredentialNotSharedError(CallerError):
    """The credential is not shared with this flow, or with whoever asks. Let an admin share it."""

    code = "credential_not_shared"
    status = 403

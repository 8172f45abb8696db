"""The stage's key in AWS KMS as the vault's key service: it wraps data keys and never leaves KMS.

The context of each data key is KMS's encryption context: it is authenticated with the key, it stands in CloudTrail in
the clear (nothing in it is secret), and a policy can ask for it. KMS replaces the key's material every year by itself
and still opens what older material wrapped; `rewrap` brings a data key under the newest (KMS guide, "Rotate keys").
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.names import Names
from chalicelib.errors import StoreError
from chalicelib.vault.errors import MasterKeyUnknownError, SealBrokenError
from chalicelib.vault.keys import Wrapped

_ALTERED: Final = frozenset({"InvalidCiphertextException"})
_UNKNOWN: Final = frozenset(
    {
        *("NotFoundException", "DisabledException", "KMSInvalidStateException", "IncorrectKeyException"),
        *("KeyUnavailableException", "InvalidArnException"),
    }
)
"""KMS's names for what is not here to open with (KMS API reference, Decrypt, "Errors")."""


class KmsKeys:
    """Fulfils `vault.keys.KeyService` with one key of KMS, found by its alias."""

    def __init__(self, aws: Aws, names: Names) -> None:
        """`names` say the alias, and in which account and region a key must lie that anything is opened with."""
        self._aws = aws
        self._alias = names.key_alias
        self._ours = f"arn:{names.partition}:kms:{names.region}:{names.account}:key/"

    async def wrap(self, data_key: bytes, context: Mapping[str, str]) -> Wrapped:
        """The data key under the stage's key; one call. Raises MasterKeyUnknownError, StoreError."""
        asked = {"KeyId": self._alias, "Plaintext": _text(data_key), "EncryptionContext": dict(context)}
        answer = await self._call("Encrypt", asked)
        return Wrapped(str(answer["KeyId"]), b64decode(answer["CiphertextBlob"]))

    async def unwrap(self, wrapped: Wrapped, context: Mapping[str, str]) -> bytes:
        """The data key; one call. Raises MasterKeyUnknownError, SealBrokenError, StoreError."""
        self._refuse_strange(wrapped)
        asked = {
            "KeyId": wrapped.key,
            "CiphertextBlob": _text(wrapped.blob),
            "EncryptionContext": dict(context),
        }
        answer = await self._call("Decrypt", asked)
        return b64decode(answer["Plaintext"])

    async def rewrap(self, wrapped: Wrapped, context: Mapping[str, str]) -> Wrapped:
        """The same data key under the newest material of the key that the alias names; it never leaves KMS.

        Which material wrapped it KMS does not say, so every call wraps it anew. Raises as `unwrap` does.
        """
        self._refuse_strange(wrapped)
        asked = {
            "SourceKeyId": wrapped.key,
            "DestinationKeyId": self._alias,
            "CiphertextBlob": _text(wrapped.blob),
            "SourceEncryptionContext": dict(context),
            "DestinationEncryptionContext": dict(context),
        }
        answer = await self._call("ReEncrypt", asked)
        return Wrapped(str(answer["KeyId"]), b64decode(answer["CiphertextBlob"]))

    def _refuse_strange(self, wrapped: Wrapped) -> None:
        """What names another account's key was not wrapped here: whoever wrote it is not to be believed."""
        if not wrapped.key.startswith(self._ours):
            raise MasterKeyUnknownError
        if not wrapped.blob:
            raise SealBrokenError

    async def _call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._aws.kms(action, payload)
        except StoreError as error:
            code = error.facts.get("aws_code")
            if code in _ALTERED:
                raise SealBrokenError from error
            if code in _UNKNOWN:
                raise MasterKeyUnknownError(
                    f"The key {self._alias} in KMS, or the one that this credential is sealed under, is not there or "
                    f"is disabled ({code}). Enable it, or deploy again."
                ) from error
            raise


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")

"""What AWS answers, read: error names out of JSON and XML, and the one table from them to our errors."""

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from chalicelib.errors import ConflictError, NotFoundError, PenstockError, StoreError
from chalicelib.ports import HttpAnswer

# Certainly not carried out, and worth another try (AWS SDKs' retry specification, "throttling errors").
THROTTLED = frozenset(
    {
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# Of two writers to one S3 key at once one is told this: nothing was carried out.
_COLLIDED = frozenset({"ConditionalRequestConflict", "OperationAborted", "TransactionConflictException"})
_ABSENT = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NoSuchKey",
        "NotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
_CONDITION = frozenset({"ConditionalCheckFailedException", "PreconditionFailed"})
_KEYS = {
    "AccessDenied": "The role may not do this",
    "AccessDeniedException": "The role may not do this",
    "ExpiredToken": "The AWS keys have expired",
    "ExpiredTokenException": "The AWS keys have expired",
    "IncompleteSignature": "The AWS keys or the clock are wrong",
    "IncompleteSignatureException": "The AWS keys or the clock are wrong",
    "InvalidAccessKeyId": "AWS does not know these keys",
    "InvalidClientTokenId": "AWS does not know these keys",
    "InvalidSignatureException": "The AWS keys or the clock are wrong",
    "MissingAuthenticationToken": "The AWS keys or the clock are wrong",
    "RequestTimeTooSkewed": "The clock is wrong",
    "SignatureDoesNotMatch": "The AWS keys or the clock are wrong",
    "UnrecognizedClientException": "AWS does not know these keys",
}


class ConditionRefusedError(ConflictError):
    """The condition of a write did not hold; nothing was written."""

    def __init__(self, where: str, item: dict[str, Any] | None = None) -> None:
        """Say where; `item` is the record as it stood, where it was asked for and there was one."""
        super().__init__(f"{where}: the condition did not hold. Nothing was written.")
        self.item = item


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error: AWS's name for it, AWS's sentence, and the record a refused condition met."""

    status: int
    code: str
    message: str
    item: dict[str, Any] | None = None

    @property
    def is_throttled(self) -> bool:
        """Certainly not carried out; the same again may pass."""
        return self.code in THROTTLED or self.code in _COLLIDED or self.status == 429

    @property
    def is_unknown(self) -> bool:
        """AWS failed; whether the call was carried out is not known."""
        return self.status >= 500 and not self.is_throttled

    def to_error(self, where: str) -> PenstockError:
        """The error to raise for it."""
        if self.code in _CONDITION:
            return ConditionRefusedError(where, self.item)
        if self.code in _ABSENT or (self.status == 404 and not self.code):
            return NotFoundError(f"{where}: it does not exist ({self.code or 404}). Check its name, or deploy again.")
        if self.code in _KEYS:
            # AWS's own sentence can repeat signed headers, the session token among them.
            return StoreError(f"{where}: {_KEYS[self.code]} ({self.code}).", aws_code=self.code)
        sentence = f": {self.message[:300]}" if self.message and self.status < 500 else ""
        return StoreError(f"{where}: refused with {self.code or self.status}{sentence}.", aws_code=self.code)


def read_json_refusal(answer: HttpAnswer) -> Refusal:
    """The error in an answer of the JSON protocols; `x-amzn-errortype`, `__type` and both spellings of message."""
    body = _read_object(answer.body)
    kind = str(body.get("__type") or dict(answer.headers).get("x-amzn-errortype") or "")
    # "com.amazonaws.dynamodb.v20120810#Name" and "Name:http://..." both name Name.
    code = kind.rpartition("#")[2].partition(":")[0]
    if not code and answer.body.lstrip()[:1] == b"<":  # what stands before a service may answer in XML all the same
        return read_xml_refusal(answer)
    item: dict[str, Any] | None = body.get("Item")
    return Refusal(answer.status, code, str(body.get("message") or body.get("Message") or ""), item)


def read_xml_refusal(answer: HttpAnswer) -> Refusal:
    """The error in an answer of S3; a HEAD has no body, so its status speaks."""
    text = answer.body.decode("utf-8", "replace")
    by_status = {403: "AccessDenied", 404: "NotFound", 412: "PreconditionFailed"}.get(answer.status, "")
    return Refusal(answer.status, _element(text, "Code") or by_status, _element(text, "Message"))


def _read_object(text: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _element(text: str, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    if found is None:
        return ""
    import html  # imported late: its table of entities is long, and S3 rarely says no

    return html.unescape(found[1])

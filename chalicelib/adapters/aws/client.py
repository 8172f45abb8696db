"""The engine's own AWS calls: DynamoDB, SQS, S3 and KMS, signed by us, over our HTTP client, with honest outcomes.

A call is repeated only where that cannot change what happened: it did not leave, it was throttled, or its action may
be carried out twice. An unknown outcome of anything else is raised, and whoever called looks at the record.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from chalicelib.adapters.aws.answers import Refusal, read_json_refusal, read_xml_refusal
from chalicelib.adapters.aws.tally import Tally
from chalicelib.errors import CutOffError, NotSentError, PenstockError, StoreError, TimedOutError
from chalicelib.ports import Clock, Http, HttpAnswer, HttpRequest
from chalicelib.signing.forms import AwsKeys
from chalicelib.signing.sigv4 import sign_headers

_MOST_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_LARGEST_ANSWER = 32_000_000

# Carried out twice, these leave the same state, or a message more, which every receiver must bear anyway.
_MAY_REPEAT = frozenset(
    {
        *("dynamodb.BatchGetItem", "dynamodb.DescribeTable", "dynamodb.GetItem", "dynamodb.Query", "dynamodb.Scan"),
        *("sqs.ChangeMessageVisibility", "sqs.ChangeMessageVisibilityBatch", "sqs.DeleteMessage"),
        *("sqs.DeleteMessageBatch", "sqs.GetQueueAttributes", "sqs.GetQueueUrl", "sqs.ReceiveMessage"),
        *("sqs.SendMessage", "sqs.SendMessageBatch"),
        *("kms.Decrypt", "kms.Encrypt", "kms.ReEncrypt"),
        *("s3.DeleteObject", "s3.GetObject", "s3.HeadObject", "s3.ListObjectsV2", "s3.PutObject"),
    }
)
# These say what they consumed when asked.
_METERED = frozenset({"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"})


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the services are, if not at AWS's own addresses: `every` of them, or DynamoDB alone."""

    every: str | None = None
    dynamodb: str | None = None

    def named(self) -> list[str]:
        """The addresses that the deployment configured, for `EgressPolicy.for_engine`."""
        return [endpoint for endpoint in (self.every, self.dynamodb) if endpoint]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One entry of a listing of S3."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    service: str
    request: HttpRequest
    read_refusal: Callable[[HttpAnswer], Refusal]
    may_repeat: bool

    @property
    def where(self) -> str:
        """The call, in a message."""
        return f"AWS {self.name}"


class Aws:
    """Calls AWS in one region with one set of keys. `tally` counts every call and the units it consumed."""

    def __init__(
        self,
        http: Http,
        keys: AwsKeys,
        region: str,
        endpoints: Endpoints,
        clock: Clock,
        *,
        jitter: Callable[[], float],
        timeout_seconds: float = 10.0,
    ) -> None:
        """Take what calls go through.

        Args:
            http: the engine's own client, `adapters.http.client_for_engine`.
            keys: whose calls they are.
            region: such as `eu-central-1`.
            endpoints: where the services are; `Endpoints()` for AWS itself.
            clock: dates signatures and waits between tries.
            jitter: a random number from 0 to 1 (`random.random`), so that those who were throttled do not come back
                together.
            timeout_seconds: for each try.
        """
        self._http = http
        self._keys = keys
        self._region = region
        self._endpoints = endpoints
        self._clock = clock
        self._jitter = jitter
        self._timeout_seconds = timeout_seconds
        self.tally = Tally()

    async def dynamodb(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """One DynamoDB call, such as `UpdateItem`; the payload and the answer as its API reference has them.

        Raises:
            ConditionRefusedError: the condition did not hold; `item` is the record, if it was asked for.
            TimedOutError, CutOffError: of a write: whether it was carried out is unknown.
            NotFoundError: no such table.
            StoreError: refused, throttled to the last try, or unreachable; nothing was written.
        """
        unconditional_put = action in ("PutItem", "DeleteItem") and "ConditionExpression" not in payload
        if action in _METERED:
            payload = {"ReturnConsumedCapacity": "INDEXES", **payload}
        call = _Call(
            f"dynamodb.{action}",
            "dynamodb",
            self._json_request("dynamodb", f"DynamoDB_20120810.{action}", payload),
            read_json_refusal,
            may_repeat=unconditional_put or f"dynamodb.{action}" in _MAY_REPEAT,
        )
        answer = json.loads((await self._carry_out(call)).body)
        self.tally.note(action, answer)
        return answer

    async def sqs(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """One SQS call; the queue is named by `QueueUrl` in the payload.

        SendMessageBatch answers even when entries failed: read `Failed`.

        Raises:
            TimedOutError, CutOffError: whether it was carried out is unknown, after the last try.
            NotFoundError: no such queue.
            StoreError: refused, throttled to the last try, or unreachable.
        """
        # A receive that waits is answered only after its wait.
        wait = float(payload.get("WaitTimeSeconds", 0))
        call = _Call(
            f"sqs.{action}",
            "sqs",
            self._json_request("sqs", f"AmazonSQS.{action}", payload, wait_seconds=wait),
            read_json_refusal,
            may_repeat=f"sqs.{action}" in _MAY_REPEAT,
        )
        return json.loads((await self._carry_out(call)).body or b"{}")

    async def kms(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """One KMS call, such as `Decrypt`; the payload and the answer as its API reference has them.

        Raises:
            StoreError: refused (`aws_code` in its facts), throttled to the last try, or unreachable.
            TimedOutError, CutOffError: it was not answered, at the last try either.
        """
        request = self._json_request("kms", f"TrentService.{action}", payload, version="1.1")
        call = _Call(f"kms.{action}", "kms", request, read_json_refusal, may_repeat=f"kms.{action}" in _MAY_REPEAT)
        return json.loads((await self._carry_out(call)).body)

    async def s3_put(
        self, bucket: str, key: str, body: bytes, *, content_type: str = "", if_absent: bool = False
    ) -> None:
        """Write an object; with `if_absent` only where there is none.

        Raises:
            ConditionRefusedError: with `if_absent`: there is one already.
            TimedOutError, CutOffError: whether it was written is unknown.
            NotFoundError: no such bucket.
            StoreError: refused, throttled to the last try, or unreachable.
        """
        headers = [("Content-Type", content_type)] if content_type else []
        if if_absent:
            headers.append(("If-None-Match", "*"))
        url = self._object_url(bucket, key)
        await self._s3("PutObject", "PUT", url, headers=tuple(headers), body=body, may_repeat=not if_absent)

    async def s3_get(self, bucket: str, key: str, *, limit_bytes: int = _LARGEST_ANSWER) -> bytes:
        """Read an object whole.

        Raises:
            NotFoundError: no such object or bucket.
            AnswerTooLargeError: it is over the limit.
            StoreError, TimedOutError, CutOffError: it could not be read.
        """
        return (await self._s3("GetObject", "GET", self._object_url(bucket, key), limit_bytes=limit_bytes)).body

    async def s3_head(self, bucket: str, key: str) -> dict[str, str]:
        """An object's headers, names in lower case.

        Raises:
            NotFoundError: no such object or bucket.
            StoreError, TimedOutError, CutOffError: it could not be asked.
        """
        return dict((await self._s3("HeadObject", "HEAD", self._object_url(bucket, key))).headers)

    async def s3_delete(self, bucket: str, key: str) -> None:
        """Delete an object; one that does not exist is deleted already.

        Raises:
            NotFoundError: no such bucket.
            StoreError, TimedOutError, CutOffError: it could not be deleted.
        """
        await self._s3("DeleteObject", "DELETE", self._object_url(bucket, key))

    async def s3_list(self, bucket: str, prefix: str = "", *, page_size: int = 1000) -> list[StoredObject]:
        """Every object under a prefix, by name; `page_size` of them a call, at most 1,000.

        Raises:
            NotFoundError: no such bucket.
            StoreError, TimedOutError, CutOffError: they could not be listed.
        """
        from chalicelib.adapters.aws.listing import read_page

        found: list[StoredObject] = []
        token = ""
        while True:
            query = f"list-type=2&encoding-type=url&max-keys={page_size}&prefix={quote(prefix, safe='')}"
            query += f"&continuation-token={quote(token, safe='')}" if token else ""
            page = read_page((await self._s3("ListObjectsV2", "GET", f"{self._object_url(bucket, '')}?{query}")).body)
            found += [StoredObject(key, size) for key, size in page.entries]
            token = page.next_token
            if not token:
                return found

    def _json_request(
        self, service: str, target: str, payload: dict[str, Any], *, wait_seconds: float = 0.0, version: str = "1.0"
    ) -> HttpRequest:
        return HttpRequest(
            "POST",
            self._endpoint(service) + "/",
            (("Content-Type", f"application/x-amz-json-{version}"), ("X-Amz-Target", target)),
            json.dumps(payload, separators=(",", ":")).encode("ascii"),
            self._timeout_seconds + wait_seconds,
            _LARGEST_ANSWER,
        )

    async def _s3(
        self,
        action: str,
        method: str,
        url: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        may_repeat: bool = True,
        limit_bytes: int = _LARGEST_ANSWER,
    ) -> HttpAnswer:
        request = HttpRequest(
            method,
            url,
            headers,
            body,
            self._timeout_seconds + len(body) / 1_000_000,  # a slow line still carries a megabyte a second
            limit_bytes,
        )
        return await self._carry_out(_Call(f"s3.{action}", "s3", request, read_xml_refusal, may_repeat))

    def _object_url(self, bucket: str, key: str) -> str:
        # The path stands encoded once, every character but these; S3's signature takes it as it is.
        path = quote(key, safe="/-_.~")
        # A certificate for *.s3 covers no bucket with a dot in its name; a local endpoint knows paths alone.
        if self._endpoints.every or "." in bucket:
            return f"{self._endpoint('s3')}/{bucket}/{path}"
        return f"{self._endpoint(f'{bucket}.s3')}/{path}"

    def _endpoint(self, service: str) -> str:
        configured = (service == "dynamodb" and self._endpoints.dynamodb) or self._endpoints.every
        if configured:
            return configured.rstrip("/")
        suffix = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        return f"https://{service}.{self._region}.{suffix}"

    async def _carry_out(self, call: _Call) -> HttpAnswer:
        """Try a call until it is answered, must not be repeated, or the tries are used up."""
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._attempt(call)
            if isinstance(outcome, HttpAnswer):
                return outcome
            error, may_repeat = outcome
            if not may_repeat or attempt == _MOST_TRIES:
                raise error
            # "Full jitter" (AWS Architecture Blog, "Exponential Backoff And Jitter").
            await self._clock.sleep(
                self._jitter() * min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            )

    async def _attempt(self, call: _Call) -> HttpAnswer | tuple[PenstockError, bool]:
        """One try: the answer, or the error and whether the same call may be made again."""
        self.tally.calls[call.name] += 1
        try:
            answer = await self._http.send(self._signed(call))
        except NotSentError as error:
            return _caused(StoreError(f"{call.where}: {error.detail}"), error), True
        except (TimedOutError, CutOffError) as error:
            return error, call.may_repeat
        if answer.status < 300:
            return answer
        refusal = call.read_refusal(answer)
        if refusal.is_throttled:
            return refusal.to_error(call.where), True
        if refusal.is_unknown:
            told = f"{call.where}: AWS answered {refusal.status} {refusal.code}".rstrip()
            if call.may_repeat:
                return StoreError(f"{told}.", aws_code=refusal.code), True
            return CutOffError(f"{told}. Whether it was carried out is unknown."), False
        return refusal.to_error(call.where), False

    def _signed(self, call: _Call) -> HttpRequest:
        request = call.request
        headers = sign_headers(
            request.method,
            request.url,
            request.headers,
            request.body,
            keys=self._keys,
            region=self._region,
            service=call.service,
            now=self._clock.now(),
        )
        return HttpRequest(
            request.method, request.url, tuple(headers), request.body, request.timeout_seconds, request.limit_bytes
        )


def _caused(error: StoreError, cause: Exception) -> StoreError:
    error.__cause__ = cause
    return error

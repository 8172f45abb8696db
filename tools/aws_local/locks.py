"""Serialises moto's tables, queues and bucket writes, which are not safe to call from several threads at once."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

_QUEUE_WRITES = (
    "send_message",
    "send_message_batch",
    "delete_message",
    "delete_message_batch",
    "change_message_visibility",
    "change_message_visibility_batch",
    "purge_queue",
)
# A receive that waits asks again this often, so that the lock is free meanwhile.
_POLL_SECONDS = 0.02


def patch() -> None:
    """Patch moto once, before its server is made."""
    from moto.dynamodb.responses import DynamoHandler
    from moto.s3.responses import S3Response
    from moto.sqs.models import SQSBackend

    handler: Any = DynamoHandler
    handler.call_action = _locked(handler.call_action, threading.RLock())
    _lock_queues(SQSBackend)
    _lock_bucket_writes(S3Response)


def _locked(function: Callable[..., Any], lock: AbstractContextManager[Any]) -> Callable[..., Any]:
    def guarded(*args: Any, **named: Any) -> Any:
        with lock:
            return function(*args, **named)

    return guarded


def _lock_queues(backend: Any) -> None:
    lock = threading.RLock()
    for name in _QUEUE_WRITES:
        setattr(backend, name, _locked(getattr(backend, name), lock))
    receive_now = _locked(backend.receive_message, lock)

    def receive_message(
        self: Any,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        *args: Any,
        **named: Any,
    ) -> Any:
        end = time.monotonic() + (wait_seconds_timeout or 0)
        while True:
            found = receive_now(self, queue_name, count, 0, visibility_timeout, *args, **named)
            if found or time.monotonic() >= end:
                return found
            time.sleep(_POLL_SECONDS)

    backend.receive_message = receive_message


def _lock_bucket_writes(responses: Any) -> None:
    # If-None-Match is checked before the write: between the two nobody else may write.
    lock = threading.RLock()
    for name in ("_key_response_put", "_key_response_post", "_key_response_delete"):
        setattr(responses, name, _locked(getattr(responses, name), lock))

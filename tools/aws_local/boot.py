"""Runs inside a function's process: reads one event a line, answers one line each; the handler stays warm in between.

It is read as text and executed by an interpreter that knows the deployed zip and the standard library alone, as on
Lambda. What the handler prints goes to standard error, where the logs are.
"""

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any


class Context:
    """What Lambda hands to a handler beside the event."""

    def __init__(self, settings: dict[str, Any], request_id: str) -> None:
        self.function_name = settings["name"]
        self.function_version = "$LATEST"
        self.invoked_function_arn = settings["arn"]
        self.memory_limit_in_mb = settings["memory"]
        self.aws_request_id = request_id
        self.log_group_name = "/aws/lambda/" + settings["name"]
        self.log_stream_name = "local"
        self.identity = None
        self.client_context = None
        self._end = time.monotonic() + settings["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end this invocation."""
        return max(0, int((self._end - time.monotonic()) * 1000))


def answer(handler: Any, event: Any, context: Context) -> dict[str, Any]:
    """The handler's result, or its error as Lambda reports it."""
    try:
        return {"ok": json.loads(json.dumps(handler(event, context)))}
    except Exception as error:  # noqa: BLE001  a function's failure is its answer
        traceback.print_exc()
        return {"error": {"errorMessage": str(error), "errorType": type(error).__name__}}


def serve(settings: dict[str, Any]) -> None:
    """Import the handler once, then answer events until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    module, _, name = settings["handler"].rpartition(".")
    failure: dict[str, Any] = {}
    try:
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
    except Exception as error:  # noqa: BLE001  reported to whoever invokes
        traceback.print_exc()
        failure = {"errorMessage": str(error), "errorType": "Runtime.ImportModuleError"}
        handler = None
    for line in sys.stdin:
        request = json.loads(line)
        context = Context(settings, request["id"])
        reply = {"error": failure} if handler is None else answer(handler, request["event"], context)
        answers.write(json.dumps(reply) + "\n")
        answers.flush()
        sys.stderr.flush()

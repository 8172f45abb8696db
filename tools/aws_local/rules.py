"""Fires EventBridge's scheduled rules at functions: moto keeps them and does nothing.

`fire` lets the time of every rule come once, which a test does when it likes; `serve` does so every few seconds.
"""

import json
import sys
import time
import uuid
from typing import Any

SECONDS = 5
"""Between two firings of every rule, whatever rate it has: a minute is long for whoever waits."""


class FunctionFailedError(Exception):
    """A function that a rule invoked raised; its payload says what."""


def fire(events: Any, functions: Any) -> int:
    """Invoke the functions of every enabled scheduled rule; returns how many there were.

    Args:
        events: a boto3 EventBridge client.
        functions: a boto3 Lambda client.
    """
    count = 0
    for rule in events.list_rules()["Rules"]:
        if "ScheduleExpression" not in rule or rule.get("State") != "ENABLED":
            continue
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            if ":lambda:" in target["Arn"]:
                _invoke(functions, target, rule)
                count += 1
    return count


def serve(events: Any, functions: Any) -> None:
    """Fire until the process ends."""
    while True:
        try:
            fire(events, functions)
        except Exception as error:  # noqa: BLE001  a rule or function deleted meanwhile must not end the firing
            print(f"a rule failed: {error}", file=sys.stderr)
        time.sleep(SECONDS)


def _invoke(functions: Any, target: dict[str, Any], rule: dict[str, Any]) -> None:
    payload: str = target.get("Input") or json.dumps(_event(rule["Arn"]))
    answer = functions.invoke(FunctionName=target["Arn"], Payload=payload.encode())
    said = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        raise FunctionFailedError(f"{target['Arn']}: {said}")


def _event(arn: str) -> dict[str, Any]:
    """A scheduled event (EventBridge user guide, "Events from scheduled rules")."""
    _, _, _, region, account, _ = arn.split(":", 5)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": region,
        "resources": [arn],
        "detail": {},
    }

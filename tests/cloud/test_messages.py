"""SQS's batches and Scheduler's moments, read."""

import json

import pytest

from chalicelib.cloud.messages import read_batch, read_tick
from chalicelib.engine.messages import Resume, to_json
from chalicelib.errors import UsageError


def record(name, body, **attributes):
    return {"messageId": name, "receiptHandle": f"handle-{name}", "body": body, "attributes": attributes}


def test_a_batch_is_deliveries_with_their_messages_and_counts():
    resume = Resume("main", "e1", 2)
    batch = read_batch(
        {"Records": [record("m1", json.dumps(to_json(resume)), ApproximateReceiveCount="3"), record("m2", "{}")]}
    )
    assert [(each.handle, each.count, each.message) for each in batch.received] == [
        ("handle-m1", 3, resume),
        ("handle-m2", 1, None),
    ]


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"v": 2, "kind": "go"}', '"\\ud800"'])
def test_a_body_that_is_none_of_ours_is_a_delivery_without_a_message(body):
    (received,) = read_batch({"Records": [record("m", body)]}).received
    assert received.message is None
    assert received.body == body


def test_those_that_failed_are_named_by_the_ids_that_sqs_knows():
    batch = read_batch({"Records": [record("m1", "{}"), record("m2", "{}")]})
    assert batch.answer([batch.received[1]]) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert batch.answer([]) == {"batchItemFailures": []}


@pytest.mark.parametrize(
    ("at", "planned"),
    [
        ("2026-11-20T06:00:00Z", 1_795_154_400_000),
        ("2026-11-20T07:00:00+01:00", 1_795_154_400_000),
        ("2026-11-20T06:00:00.250Z", 1_795_154_400_250),
    ],
)
def test_a_moment_is_epoch_milliseconds(at, planned):
    tick = read_tick({"tenant": "main", "flow": "f", "trigger": "t", "at": at})
    assert tick == ("main", "f", "t", planned)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({}, "`tenant`, `flow`, `trigger` and `at`"),
        ({"tenant": "main", "flow": "f", "trigger": 3, "at": "2026-11-20T06:00:00Z"}, "each a text"),
        ({"tenant": "main", "flow": "f", "trigger": "t", "at": "<aws.scheduler.scheduled-time>"}, "`at` is no time"),
        ({"tenant": "main", "flow": "f", "trigger": "t", "at": "2026-11-20T06:00:00"}, "no time zone"),
    ],
)
def test_what_is_no_moment_is_refused_by_name(event, said):
    with pytest.raises(UsageError, match=said):
        read_tick(event)

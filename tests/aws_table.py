"""The one table as data, for tests and for whoever compares a stack with it, and a way to make one.

`TABLE` is the payload of CreateTable without the name. The stack of `infra/` must say the same.
"""

from typing import Any

from chalicelib.adapters.aws.addresses import DUE_INDEX, LIST_INDEX
from chalicelib.adapters.aws.records import LISTED

TTL_ATTRIBUTE = "ttl"
TABLE: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
        {"AttributeName": "gp", "AttributeType": "S"},
        {"AttributeName": "gs", "AttributeType": "N"},
        {"AttributeName": "lp", "AttributeType": "S"},
        {"AttributeName": "ls", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": DUE_INDEX,
            "KeySchema": [{"AttributeName": "gp", "KeyType": "HASH"}, {"AttributeName": "gs", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
        {
            "IndexName": LIST_INDEX,
            "KeySchema": [{"AttributeName": "lp", "KeyType": "HASH"}, {"AttributeName": "ls", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)},
        },
    ],
}


def make_table(dynamodb: Any, name: str) -> None:
    """Create the table with a boto3 client, its TTL switched on, and wait until it is there."""
    made = dynamodb.create_table(TableName=name, **TABLE)
    if made["TableDescription"]["TableStatus"] != "ACTIVE":
        dynamodb.get_waiter("table_exists").wait(TableName=name)
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
    )

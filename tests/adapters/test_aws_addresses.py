"""Table keys: each record and each of its packs has one, and no two share it."""

import itertools

import pytest

from chalicelib.adapters.aws.addresses import has_place, pack_key, record_key
from chalicelib.engine.controls import LANE, lane_key
from chalicelib.engine.facts import FACT_LETTERS
from chalicelib.engine.records import RecordKey
from chalicelib.engine.ticking import schedule_key
from chalicelib.errors import StoreError
from tests.adapters.aws_writes import BIRTH, FAILED, NOW, creation, payload_of

HEAD = RecordKey("main", "0" * 26)


def _key(part: str) -> tuple[str, str]:
    item = record_key(RecordKey("main", "0" * 26, part))
    return item["pk"]["S"].removeprefix(f"main#E#{'0' * 26}"), item["sk"]["S"]


@pytest.mark.parametrize(
    ("part", "partition", "sort"),
    [
        ("", "", "H"),
        ("rows", "#J#rows@#0", "B#0"),
        ("rows/b0", "#J#rows@#1", "B#0"),
        ("rows/b127", "#J#rows@#1", "B#127"),
        ("rows/b128", "#J#rows@#2", "B#128"),
        ("rows/s0", "#J#rows@#1", "J"),
        ("rows/s12", "#J#rows@#13", "J"),
        ("rows/r", "#J#rows@", "R"),
        ("r/r", "#J#r@", "R"),
    ],
)
def test_every_part_lies_where_the_design_says(part: str, partition: str, sort: str) -> None:
    assert _key(part) == (partition, sort)


def test_a_lane_lies_by_itself() -> None:
    assert record_key(lane_key("main", "a" * 26)) == {"pk": {"S": f"main#L#{'a' * 26}"}, "sk": {"S": "H"}}


def test_a_schedules_memory_lies_where_no_execution_does() -> None:
    key = schedule_key("main", "nightly", "night")
    place = {"pk": {"S": f"main#E#{key.execution}#J#schedule@#0"}, "sk": {"S": "B#0"}}
    assert record_key(key) == place


def test_no_two_records_share_a_key_nor_any_two_packs() -> None:
    steps = ["r", "b1", "s0", "lane", "rows", "rows_b1", "j", "h"]
    kinds = ["", "/r", *(f"/{kind}{number}" for kind in "bs" for number in (0, 1, 9, 10, 99, 127, 128, 129, 1280))]
    keys = [
        RecordKey(tenant, execution, part)
        for tenant, execution in itertools.product(("main", "other"), ("0" * 26, "1" * 26))
        for part in ["", *(step + kind for step in steps for kind in kinds)]
    ]
    assert all(has_place(key) for key in keys)
    places = [tuple(each["S"] for each in record_key(key).values()) for key in keys]
    packs = [
        tuple(each["S"] for each in pack_key(key, name).values()) for key in keys for name in ("pa", "p0", "p0#p0")
    ]
    assert len({*places, *packs}) == len(keys) * 4
    assert LANE in steps


@pytest.mark.parametrize(
    "part",
    ["Rows", "rows/", "rows/b", "rows/b01", "rows/b-1", "rows/q1", "rows/r1", "a#b", "a/b1/b2", "a@#0", "\u20ac", "1a",
     "rows/b\u0663", "rows\n", "rows/b1000000000"],
)  # fmt: skip
def test_a_part_that_no_record_has_is_an_error_by_name(part: str) -> None:
    key = RecordKey("main", "0" * 26, part)
    assert not has_place(key)
    for attempt in (lambda: record_key(key), lambda: pack_key(key, "pa")):
        with pytest.raises(StoreError, match=f"execution {'0' * 26} has no record"):
            attempt()


def test_no_attribute_of_a_records_own_is_taken_for_a_fact() -> None:
    """Every attribute that a write may set beside facts, their orders and packs begins with no fact's letter."""
    whole = creation(birth=BIRTH, ending=FAILED, busy=NOW, expires=NOW // 1000, inline={"i1": "{}"})
    names = {*payload_of(whole)["ExpressionAttributeNames"].values(), "op", "en", "sk"}
    assert {"pk", "v", "st", "ep", "rev", "gp", "gs", "lp", "ls", "vh", "tr", "b", "rs", "bz", "ttl"} <= names
    assert {name for name in names if name[0] in FACT_LETTERS} == set()

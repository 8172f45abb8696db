import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Waiting, fact_name, from_text, to_text
from chalicelib.engine.messages import Go, Message, Resume, Start, from_json, to_json
from chalicelib.engine.packs import (
    INLINE_LIMIT,
    ITEM_BYTES,
    LAST,
    Attempt,
    Entry,
    Outlook,
    Placement,
    entry_from_json,
    entry_to_json,
    place,
)
from chalicelib.engine.records import Birth

FACTS: list[Fact] = [
    Done(How.SUCCEEDED, "done", 1, 17, "i1"),
    Done(How.SUCCEEDED, "done", 1, 0),
    Done(How.SUCCEEDED, "done", 1, 1_795_158_000_000, "p5abcdefg"),
    Done(How.SUCCEEDED, "done", 1, 1_795_158_000_123, "p5abcdefg", 12),
    Done(How.SUCCEEDED, "done", 1, 1_795_158_000_123, "", 0),
    Done(How.SUCCEEDED, "done", 2, 36**3, "i1", 3),
    Done(How.SUCCEEDED, "else", 1, 1295, "i1"),
    Done(How.FAILED, "error", 4, 1296, "b" + "0" * 64, 7),
    Done(How.UNKNOWN, "error", 3, 17, "", 0),
    Done(How.SKIPPED, "skipped", 0, 17),
    Claimed("t", 17, 2, 4),
    Retrying(17, 1, "http_503", "p1"),
    Waiting("timer", 17, 3),
]


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_survives_being_written_down(fact: Fact) -> None:
    assert from_text(to_text(fact)) == fact


def test_the_first_letter_tells_the_kind_and_leases_compare_as_text() -> None:
    assert [to_text(fact)[0] for fact in FACTS] == ["d"] * 10 + ["c", "r", "w"]
    assert all(to_text(fact) > to_text(Claimed("t", 10**13 - 1, 1)) for fact in FACTS if not isinstance(fact, Claimed))
    assert to_text(Claimed("zz", 999, 1)) < to_text(Claimed("aa", 1000, 1))


def test_what_is_done_takes_few_bytes_for_it_is_billed_with_every_write() -> None:
    now = 1_795_158_000_123
    assert to_text(Done(How.SUCCEEDED, "done", 1, now, "p5abcdefg")) == "dmwomq1vf|p5abcdefg"
    assert to_text(Done(How.SUCCEEDED, "done", 1, now)) == "dmwomq1vf"
    assert to_text(Done(How.FAILED, "error", 2, now, "i3")) == "dmwomq1vf|i3|F|error|2"
    assert to_text(Done(How.SKIPPED, "skipped", 1, now)) == "dmwomq1vf||X|skipped"


def test_what_was_recorded_before_facts_were_short_is_read() -> None:
    now = 1_795_158_000_123
    assert from_text(f"d|S|done|1|{now}|p1") == Done(How.SUCCEEDED, "done", 1, now, "p1")
    assert from_text(f"d|F|error|3|{now}|") == Done(How.FAILED, "error", 3, now)
    assert from_text(f"d|S|done|1|{now}|i1|12") == Done(How.SUCCEEDED, "done", 1, now, "i1", 12)
    assert from_text(f"d|S|done|1|{now}|i1|#12") == Done(How.SUCCEEDED, "done", 1, now, "i1", 12)


@pytest.mark.parametrize(
    "text", ["", "d", "d|S", "d|Z|done|1|2|", "d1|p|Z|done", "d1|p|S|done|1|2", "x|1", "c|soon|t|1|0"]
)
def test_what_is_no_fact_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_text(text)


def test_a_fact_is_named_by_its_ordinal_and_its_turns() -> None:
    assert [fact_name(number) for number in (0, 35, 36, 1295, 1296)] == ["f0", "fz", "f10", "fzz", "f100"]
    assert fact_name(4, (3, 0, 12)) == "f4_3.0.12"


BIRTH = Birth("f", "v", "t", 1, "i0", "h", 2, "p.s", "r", keyed=True)


@pytest.mark.parametrize("message", [Start("m", "e", BIRTH, 5, "{}"), Go("m", "e", 1, ("a",)), Resume("m", "e", 0)])
def test_a_message_survives_being_written_down(message: Message) -> None:
    assert from_json(json.loads(json.dumps(to_json(message)))) == message


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"v": 2, "kind": "resume", "tenant": "m", "execution": "e", "epoch": 0},
        {"v": 1, "kind": "later", "tenant": "m", "execution": "e", "epoch": 0},
        {"v": 1, "kind": "resume", "tenant": "m", "execution": 7, "epoch": 0},
        {"v": 1, "kind": "resume", "tenant": "m", "execution": "e", "epoch": "0"},
        {"v": 1, "kind": "go", "tenant": "m", "execution": "e", "epoch": 0, "steps": "ab"},
        {"v": 1, "kind": "start", "tenant": "m", "execution": "e", "birth": {}, "born": 1, "input": ""},
    ],
)
def test_what_is_no_message_is_refused(data) -> None:
    with pytest.raises(ValueError, match="message"):
        from_json(data)


def test_an_entry_survives_being_written_down() -> None:
    attempts = (Attempt(1, 5, 6, "timeout", "No answer"), Attempt(2, 7, 8))
    once = (Attempt(1, 5, 6),)
    for entry in (
        Entry({"a": 2**70}, None, attempts),
        Entry(None, [1], (), {"code": "x"}),
        Entry(None, None, once),
        Entry({"a": [1]}, {"a": [1]}, once),
        Entry({"a": [1]}, {"a": [True]}, once),
        Entry({"a": 1, "b": 2}, {"b": 2, "a": 1}, attempts[:1]),
        Entry(False, 0, (Attempt(2, 5, 6),)),
        Entry([], {}, (Attempt(1, 5, 4),)),
    ):
        read = entry_from_json(json.loads(json.dumps(entry_to_json(entry))))
        assert read == entry
        assert repr(read) == repr(entry)


def test_an_entry_says_nothing_twice_and_nothing_that_is_as_usual() -> None:
    once = (Attempt(1, 1_795_158_000_000, 1_795_158_000_012),)
    assert entry_to_json(Entry({"n": 1}, {"n": 1}, once)) == {"b": {"n": 1}, "a": [1_795_158_000_000, 12]}
    assert entry_to_json(Entry({"n": 1}, None, ())) == {"v": {"n": 1}, "a": []}


def test_an_entry_from_before_it_was_short_is_read() -> None:
    rows = [[1, 5, 6, "timeout", "No answer"], [2, 7, 8, "", ""]]
    entry = Entry({"n": 1}, None, (Attempt(1, 5, 6, "timeout", "No answer"), Attempt(2, 7, 8)))
    assert entry_from_json({"v": {"n": 1}, "i": None, "a": rows}) == entry
    assert entry_from_json({"v": None, "i": None, "a": [[1, 5, 6, "", ""]]}) == Entry(None, None, (Attempt(1, 5, 6),))


@pytest.mark.parametrize("data", [{}, {"v": 1, "i": 2, "a": None}, {"v": 1, "i": 2, "a": [[1]]}])
def test_what_is_no_entry_is_refused(data) -> None:
    with pytest.raises((KeyError, TypeError)):
        entry_from_json(data)


def test_a_pack_lies_where_it_costs_least() -> None:
    few = Outlook(2, 20)
    assert place(500, 400, few) is Placement.INLINE  # it stays within a unit
    assert place(500, 500, few) is Placement.INLINE  # one later write is dearer, as a pack of its own would be
    assert place(500, 500, Outlook(12, 50)) is Placement.ITEM  # most later writes would be
    assert place(500, 500, Outlook(12, 0)) is Placement.INLINE
    assert place(30, 300, Outlook(12, 50)) is Placement.INLINE  # so little lifts but one of them over a KB
    assert place(600, 900, Outlook(12, 0)) is Placement.ITEM
    assert place(600, 900, LAST) is Placement.INLINE


def test_what_ends_a_record_lies_in_it_unless_it_is_large() -> None:
    assert place(7000, 500, LAST) is Placement.INLINE
    assert place(8192, 500, LAST) is Placement.ITEM
    assert place(8193, 0, LAST) is Placement.BLOB
    assert place(8193, 500, Outlook(3, 20)) is Placement.BLOB


@given(st.integers(0, 9000), st.integers(0, 9000), st.integers(0, 40), st.integers(0, 200))
def test_no_other_place_costs_less_should_every_write_come(pack: int, record: int, writes: int, each: int) -> None:
    def units(size: int) -> int:
        return max(1, -(-size // 1024))

    sizes = [record + number * each for number in range(writes + 1)]
    inline = sum(units(size + pack) for size in sizes)
    item = units(pack + ITEM_BYTES) + sum(units(size) for size in sizes)
    where = place(pack, record, Outlook(writes, each))
    if where is Placement.INLINE:
        assert inline <= item
        assert record + pack <= INLINE_LIMIT
    elif record + pack <= INLINE_LIMIT:
        assert item < inline

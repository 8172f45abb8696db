import json

import pytest

from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Waiting, fact_name, from_text, to_text
from chalicelib.engine.messages import Go, Message, Resume, Start, from_json, to_json
from chalicelib.engine.packs import Attempt, Entry, Placement, entry_from_json, entry_to_json, place
from chalicelib.engine.records import Birth

FACTS: list[Fact] = [
    Done(How.SUCCEEDED, "done", 1, 17, "i1"),
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
    assert [to_text(fact)[:2] for fact in FACTS] == ["d|", "d|", "d|", "c|", "r|", "w|"]
    assert to_text(Claimed("zz", 999, 1)) < to_text(Claimed("aa", 1000, 1))


@pytest.mark.parametrize("text", ["", "d|S", "d|Z|done|1|2|", "x|1", "c|soon|t|1|0"])
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
    for entry in (Entry({"a": 2**70}, None, attempts), Entry(None, [1], (), {"code": "x"})):
        assert entry_from_json(json.loads(json.dumps(entry_to_json(entry)))) == entry


@pytest.mark.parametrize("data", [{}, {"v": 1, "i": 2, "a": None}, {"v": 1, "i": 2, "a": [[1]]}])
def test_what_is_no_entry_is_refused(data) -> None:
    with pytest.raises((KeyError, TypeError)):
        entry_from_json(data)


def test_a_pack_lies_where_it_costs_least() -> None:
    assert place(500, 500, creates_and_ends=False) is Placement.INLINE
    assert place(600, 500, creates_and_ends=False) is Placement.ITEM
    assert place(7000, 500, creates_and_ends=True) is Placement.INLINE
    assert place(8192, 500, creates_and_ends=True) is Placement.ITEM
    assert place(8193, 0, creates_and_ends=False) is Placement.BLOB

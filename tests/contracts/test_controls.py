"""The writes beside the ordinary course: every field they have, alone and together, on records that are and are not."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine.conditions import allows, apply
from chalicelib.engine.controls import (
    admit,
    hold,
    lane_key,
    leave,
    mark,
    pause,
    place,
    recheck,
    resume,
    signal,
)
from chalicelib.engine.facts import (
    HELD,
    Claimed,
    Counted,
    Done,
    Fact,
    How,
    Marked,
    Placed,
    Retrying,
    Signalled,
    Waiting,
    mark_name,
    place_name,
    redrive_name,
    signal_name,
)
from chalicelib.engine.records import Image, Reason, RecordKey, Status
from chalicelib.engine.writes import (
    Absent,
    Answer,
    Applied,
    Cancel,
    Commit,
    Due,
    Exactly,
    Finish,
    Free,
    NotDone,
    Put,
    Refused,
    Write,
)
from tests.adapters.aws_writes import PARTS, Chance, redriven, same
from tests.contracts.world import NOW, World, birth, creation, filled

DONE = Done(How.SUCCEEDED, "done", 1, NOW, "i1")
FAILED = Reason(Status.FAILED, "charge", "http_402", "card declined")
EXPIRES = NOW // 1000 + 86_400
LATER = NOW + 60_000


def _write(world: World, write: Write) -> Answer:
    answer = world.run(world.facts.write(write))
    assert world.run(world.facts.read(write.key)) == answer.image
    return answer


def _applied(world: World, write: Write) -> Image:
    answer = _write(world, write)
    assert isinstance(answer, Applied), answer
    return answer.image


def _refused(world: World, write: Write) -> Image | None:
    answer = _write(world, write)
    assert isinstance(answer, Refused), answer
    return answer.image


def _made(world: World, **others: Any) -> Image:
    return _applied(world, creation(world.new_key(), **others))


def _part(world: World, part: str) -> RecordKey:
    return replace(world.new_key(), part=part)


# --- the keys of records


def test_every_kind_of_record_is_a_record_of_its_own(world: World) -> None:
    head = world.new_key()
    keys = [replace(head, part=part) for part in ("rows", "rows/b0", "rows/b1", "rows/b128", "rows/s0", "rows/r", "r")]
    keys += [lane_key(head.tenant, head.execution), replace(head, tenant="other", part="rows/b0")]
    _applied(world, creation(head, packs={"pa": "head"}))
    for number, key in enumerate(keys):
        assert world.run(world.facts.read(key)) is None
        puts: dict[str, Put] = {f"f{number}": Put(DONE, Absent())}
        _applied(world, Commit(key, 0, NOW, creates=True, puts=puts, packs={"pa": str(number)}, expires=EXPIRES))
    for number, key in enumerate(keys):
        image = world.run(world.facts.read(key))
        assert image is not None
        assert (image.key, image.birth, set(image.facts)) == (key, None, {f"f{number}"})
        assert world.run(world.facts.pack(key, "pa")) == str(number)
    assert world.run(world.facts.pack(head, "pa")) == "head"


@pytest.mark.parametrize("part", ["rows", "rows/b7", "rows/s1", "rows/r", "lane"])
def test_a_cancel_reaches_every_kind_of_record_before_it_is_there(world: World, part: str) -> None:
    key = _part(world, part)
    image = _applied(world, Cancel(key, FAILED, NOW, LATER))
    assert (image.status, image.reason, image.epoch, image.rev) == (Status.ENDING, FAILED, 0, 1)
    claim = Put(Claimed("t", NOW + 9, 1), Free())
    assert _refused(world, Commit(key, 0, NOW, upserts=True, puts={"f0": claim})) == image
    assert _refused(world, Commit(key, 0, NOW, creates=True)) == image


# --- facts of every letter


FACTS: dict[str, Fact] = {
    "f0": Waiting("cut", 0, NOW, "100.10.b", "p1"),
    "f1": Waiting("callback", NOW + 9, NOW, "60000", "i1"),
    "f2_0.1": Waiting("timer", NOW + 9, NOW),
    "X": Marked(3),
    signal_name(35): Signalled(NOW, "i1"),
    signal_name(36, (0, 12)): Signalled(NOW, "p1"),
    redrive_name(1): Counted(2),
    redrive_name(1, (3,)): Counted(1),
    mark_name(0): Marked(0),
    mark_name(127): Marked(2, ran=False),
    place_name("e" * 26): Placed(NOW, is_held=True),
    place_name("g" * 26): Placed(NOW, is_held=False),
}


def test_facts_of_every_letter_come_back_to_the_letter(world: World) -> None:
    image = _made(world, puts={name: Put(fact, Absent()) for name, fact in FACTS.items()})
    assert image.facts == FACTS
    other = {name: Put(fact, Exactly(fact)) for name, fact in FACTS.items()}
    again = _applied(world, Commit(image.key, 0, NOW, puts=other))
    assert again.facts == FACTS


@pytest.mark.parametrize("name", ["f0", "S0", "K0", "M0", "L" + "0" * 26, "X"])
def test_what_counts_once_is_refused_where_there_is_anything(world: World, name: str) -> None:
    made = _made(world)
    facts: list[Fact] = [
        DONE, Claimed("t", NOW - 9, 1), Retrying(NOW, 1, "x"), Waiting("timer", NOW, NOW), Signalled(NOW, "i1"),
        Marked(0), Placed(NOW, is_held=False), Counted(1),
    ]  # fmt: skip
    first = _applied(world, Commit(made.key, 0, NOW, puts={name: Put(facts[0], Absent())}))
    assert first.facts == {name: facts[0]}
    for before, after in zip(facts, [*facts[1:], DONE], strict=True):
        image = _refused(world, Commit(made.key, 0, NOW, puts={name: Put(after, Absent())}))
        assert image is not None
        assert image.facts == {name: before}
        _applied(world, Commit(made.key, 0, NOW, puts={name: Put(after, Exactly(before))}))


# --- upserts


@pytest.mark.parametrize("part", ["rows", "rows/b7", "rows/s1", "rows/r", "lane"])
def test_an_upsert_creates_what_is_not_there_and_goes_on_with_what_is(world: World, part: str) -> None:
    key = _part(world, part)
    first = _applied(world, Commit(key, 2, NOW, upserts=True, puts={"M0": Put(Marked(1), Absent())}, expires=EXPIRES))
    assert (first.status, first.epoch, first.rev, first.birth) == (Status.RUNNING, 2, 1, None)
    second = _applied(world, Commit(key, 2, NOW, upserts=True, puts={"M1": Put(Marked(0), Absent())}))
    assert (second.facts, second.rev) == ({"M0": Marked(1), "M1": Marked(0)}, 2)
    assert _refused(world, Commit(key, 1, NOW, upserts=True, puts={"M2": Put(Marked(0), Absent())})) == second
    assert _refused(world, Commit(key, 2, NOW, upserts=True, puts={"M1": Put(Marked(0), Absent())})) == second
    nowhere = frozenset({Status.PAUSED})
    assert _refused(world, Commit(key, 2, NOW, upserts=True, allowed=nowhere)) == second


def test_an_upsert_that_says_exactly_needs_the_fact(world: World) -> None:
    key = _part(world, "rows/s0")
    write = Commit(key, 0, NOW, upserts=True, puts={"M0": Put(Marked(1), Exactly(Marked(0)))})
    assert _refused(world, write) is None
    made = _applied(world, replace(write, puts={"M0": Put(Marked(0), Absent())}))
    assert _applied(world, write).facts == {"M0": Marked(1)}
    assert _refused(world, write) != made


def test_an_upsert_takes_everything_that_another_commit_takes(world: World) -> None:
    """On nothing, and then on what the first one made."""
    key = _part(world, "rows/b3")
    numbered = Put(DONE, NotDone(), numbered=True)
    more: dict[str, Any] = {"upserts": True, "busy": NOW + 7, "expires": EXPIRES}
    first = Commit(
        key, 0, NOW, puts={"f0": numbered, "f1": Put(Claimed("t", NOW + 9, 1), Free())}, seen_rev=9, next_check=LATER,
        inline={"i0": "{}"}, packs={"pa": "text"}, removes=frozenset({"f5"}), **more,
    )  # fmt: skip
    image = _applied(world, first)
    assert image.facts == {"f0": replace(DONE, order=0), "f1": Claimed("t", NOW + 9, 1)}
    assert (image.inline, image.busy, image.next_check) == ({"i0": "{}"}, NOW + 7, LATER)
    assert world.run(world.facts.pack(key, "pa")) == "text"
    assert _refused(world, replace(first, puts={}, packs={})) == image  # the inline pack's name is taken
    second = Commit(
        key, 0, NOW, puts={"f2": numbered}, seen_rev=1, next_check=NOW + 5, ending=FAILED, removes=frozenset({"f1"}),
        **more,
    )  # fmt: skip
    image = _applied(world, second)
    assert image.facts == {"f0": replace(DONE, order=0), "f2": replace(DONE, order=1)}
    assert (image.status, image.reason, image.next_check) == (Status.ENDING, FAILED, NOW + 5)


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED])
def test_an_upsert_may_be_the_first_write_and_the_last(world: World, status: Status) -> None:
    key = _part(world, "rows/b0")
    image = _applied(world, Commit(key, 0, NOW, upserts=True, finish=Finish(status, "p1")))
    assert (image.status, image.ended, image.output_pack, image.rev) == (status, NOW, "p1", 1)
    assert _refused(world, Commit(key, 0, NOW, upserts=True)) == image


def test_of_many_first_marks_at_once_every_one_is_kept_and_none_twice(world: World) -> None:
    key = _part(world, "rows/s0")

    async def race() -> list[Answer]:
        marks = [mark(key, 0, number % 8, Marked(number), NOW, EXPIRES) for number in range(16)]
        return list(await asyncio.gather(*(world.facts.write(each) for each in marks)))

    answers = world.run(race())
    assert sum(isinstance(answer, Applied) for answer in answers) == 8
    image = world.run(world.facts.read(key))
    assert image is not None
    assert set(image.facts) == {mark_name(number) for number in range(8)}
    assert image.rev == 8
    fullest = max((answer.image for answer in answers if answer.image), key=lambda each: each.rev)
    assert fullest == image


# --- the record's count of writes


def test_whoever_says_what_it_saw_is_refused_once_somebody_has_written(world: World) -> None:
    made = _made(world)
    assert _refused(world, Commit(made.key, 0, NOW, seen_rev=0)) == made
    assert _refused(world, Commit(made.key, 0, NOW, seen_rev=2)) == made
    image = _applied(world, Commit(made.key, 0, NOW, seen_rev=1, busy=5))
    assert _refused(world, Commit(made.key, 0, NOW, seen_rev=1, busy=6)) == image
    # A creation has seen nothing.
    assert _applied(world, creation(world.new_key(), seen_rev=7)).rev == 1


# --- statuses


@pytest.mark.parametrize("status", [Status.QUEUED, Status.PAUSED, Status.RUNNING, Status.ENDING])
def test_an_execution_may_be_born_in_another_status(world: World, status: Status) -> None:
    image = _made(world, becomes=status)
    assert (image.status, image.rev) == (status, 1)
    assert image.birth == birth()


def test_a_birth_says_how_deep_it_lies(world: World) -> None:
    for depth in (0, 1, 10):
        born = birth(depth=depth, parent="e.call.rows/b3")
        assert _made(world, birth=born).birth == born


def test_everything_that_a_birth_can_say_comes_back(world: World) -> None:
    born = filled(birth(), flow="orders", started=NOW)
    image = _made(world, birth=born)
    assert image.birth == born
    assert _applied(world, Commit(image.key, 0, NOW, busy=1)).birth == born


def test_an_end_or_an_ending_says_more_than_what_it_becomes(world: World) -> None:
    ended = _made(world, becomes=Status.PAUSED, finish=Finish(Status.SUCCEEDED))
    assert ended.status is Status.SUCCEEDED
    ending = _made(world, becomes=Status.QUEUED, ending=FAILED)
    assert (ending.status, ending.reason) == (Status.ENDING, FAILED)
    made = _made(world)
    both = _applied(world, Commit(made.key, 0, NOW, becomes=Status.PAUSED, ending=FAILED))
    assert (both.status, both.reason) == (Status.ENDING, FAILED)
    last = _applied(world, Commit(made.key, 0, NOW, becomes=Status.PAUSED, finish=Finish(Status.FAILED)))
    assert last.status is Status.FAILED


def test_a_pause_stops_claims_and_keeps_outcomes_until_it_is_resumed(world: World) -> None:
    claim = Claimed("t", NOW + 9, 1)
    made = _made(world, puts={"f0": Put(claim, Free())})
    paused = _applied(world, pause(made, NOW))
    assert (paused.status, paused.next_check) == (Status.PAUSED, made.next_check)
    assert _applied(world, pause(paused, NOW)).status is Status.PAUSED
    start = Commit(made.key, 0, NOW, puts={"f1": Put(Claimed("u", NOW + 9, 1), Free())})
    _refused(world, start)
    assert _applied(world, Commit(made.key, 0, NOW, puts={"f0": Put(DONE, Exactly(claim))})).facts == {"f0": DONE}
    _refused(world, Commit(made.key, 0, NOW, finish=Finish(Status.SUCCEEDED)))
    resumed = _applied(world, resume(paused, NOW, NOW + 5))
    assert (resumed.status, resumed.next_check) == (Status.RUNNING, NOW + 5)
    assert _applied(world, resume(resumed, NOW, NOW + 9)).next_check == NOW + 5
    _applied(world, start)


def test_what_is_ending_is_neither_paused_nor_resumed_nor_admitted(world: World) -> None:
    made = _made(world)
    ending = _applied(world, Commit(made.key, 0, NOW, ending=FAILED))
    for write in (pause(made, NOW), resume(made, NOW, NOW), admit(made, NOW, busy=1, next_check=NOW)):
        assert _refused(world, write) == ending


@pytest.mark.parametrize("part", ["rows", "rows/b0", "rows/r"])
def test_a_pause_of_a_loop_that_comes_late_undoes_nothing(world: World, part: str) -> None:
    key = _part(world, part)
    late = hold(key, 0, NOW, EXPIRES, None, is_held=True)  # sent, and on its way for long
    paused = _applied(world, hold(key, 0, NOW, EXPIRES, None, is_held=True))
    assert (paused.status, paused.facts[HELD]) == (Status.PAUSED, Counted(1))
    running = _applied(world, hold(key, 0, NOW, EXPIRES, paused.facts[HELD], is_held=False))
    assert (running.status, running.facts[HELD]) == (Status.RUNNING, Counted(2))
    assert _refused(world, late) == running
    assert _refused(world, hold(key, 0, NOW, EXPIRES, paused.facts[HELD], is_held=False)) == running
    ending = _applied(world, Cancel(key, FAILED, NOW, LATER))
    assert _refused(world, hold(key, 0, NOW, EXPIRES, running.facts[HELD], is_held=True)) == ending


def test_what_is_queued_is_admitted_once(world: World) -> None:
    queued = _made(world, becomes=Status.QUEUED)
    _refused(world, Commit(queued.key, 0, NOW, puts={"f0": Put(DONE, NotDone())}))
    running = _applied(world, admit(queued, NOW, busy=NOW + 7, next_check=NOW + 5))
    assert (running.status, running.busy, running.next_check) == (Status.RUNNING, NOW + 7, NOW + 5)
    assert _refused(world, admit(queued, NOW, busy=NOW + 8, next_check=NOW)) == running
    assert _applied(world, Cancel(_made(world, becomes=Status.QUEUED).key, FAILED, NOW, NOW)).status is Status.ENDING


# --- signals


@pytest.mark.parametrize("pack", ["i5", "p5"])
def test_the_first_signal_counts_also_while_it_is_paused(world: World, pack: str) -> None:
    made = _made(world)
    paused = _applied(world, pause(made, NOW))
    name, fact = signal_name(3), Signalled(NOW, pack)
    image = _applied(world, signal(paused, name, fact, NOW, {pack: "yes"}, NOW + 5))
    assert (image.facts, image.next_check) == ({name: fact}, NOW + 5)
    assert (image.inline.get(pack) or world.run(world.facts.pack(made.key, pack))) == "yes"
    second = signal(image, name, Signalled(NOW + 1, "i9"), NOW + 1, {"i9": "no"}, NOW)
    assert _refused(world, second) == image
    _applied(world, Cancel(made.key, FAILED, NOW, NOW))
    ended = _applied(world, Commit(made.key, 0, NOW, finish=Finish(Status.FAILED)))
    assert _refused(world, signal(ended, signal_name(4), fact, NOW, {}, NOW)) == ended


# --- the due entry


def test_the_due_entry_moves_later_only_for_who_says_so(world: World) -> None:
    made = _made(world, next_check=NOW + 100)
    later = _applied(world, recheck(made, NOW, NOW + 900))
    assert later.next_check == NOW + 900
    assert _refused(world, recheck(made, NOW, NOW + 1000)) == later
    earlier = _applied(world, recheck(later, NOW, NOW + 5))
    assert earlier.next_check == NOW + 5
    gone = _applied(world, recheck(earlier, NOW, None))
    assert gone.next_check is None
    assert _applied(world, recheck(gone, NOW, NOW + 70)).next_check == NOW + 70


def test_the_due_entry_of_an_end_goes_once_everybody_is_told(world: World) -> None:
    made = _made(world, next_check=NOW + 100)
    untold = _applied(world, Commit(made.key, 0, NOW, finish=Finish(Status.SUCCEEDED, told=False)))
    assert untold.next_check == NOW + 100
    told = _applied(world, recheck(untold, NOW, None))
    assert (told.status, told.next_check) == (Status.SUCCEEDED, None)

    other = _made(world, next_check=NOW + 100)
    both = Commit(other.key, 0, NOW, finish=Finish(Status.SUCCEEDED, told=False), due=Due.EXACTLY, next_check=NOW + 400)
    assert _applied(world, both).next_check == NOW + 400
    third = _made(world, next_check=NOW + 100)
    end = Commit(third.key, 0, NOW, finish=Finish(Status.SUCCEEDED), due=Due.EXACTLY, next_check=NOW + 400)
    assert _applied(world, end).next_check is None


@pytest.mark.parametrize("moment", [None, NOW + 5])
def test_a_creation_sets_the_due_entry_either_way(world: World, moment: int | None) -> None:
    assert _made(world, due=Due.EXACTLY, next_check=moment).next_check == moment
    key = _part(world, "rows/b0")
    assert _applied(world, Commit(key, 0, NOW, upserts=True, due=Due.EXACTLY, next_check=moment)).next_check == moment


def test_what_is_due_is_found_the_earliest_first(world: World) -> None:
    moments = [NOW + 30, NOW - 7, NOW, NOW + 1, NOW - 3, NOW - 7_000_000]
    keys = [_made(world, next_check=moment).key for moment in moments]
    ended = _made(world, next_check=NOW - 5)
    _applied(world, Commit(ended.key, 0, NOW, finish=Finish(Status.SUCCEEDED)))
    untold = _made(world, next_check=NOW - 4)
    _applied(world, Commit(untold.key, 0, NOW, finish=Finish(Status.SUCCEEDED, told=False)))
    _applied(world, Commit(replace(keys[0], part="rows"), 0, NOW, creates=True, next_check=NOW - 9))
    _applied(world, Commit(lane_key("main", keys[0].execution), 0, NOW, upserts=True, next_check=NOW - 9))
    expected = [keys[5], keys[1], untold.key, keys[4], keys[2]]
    assert list(world.run(world.facts.due(NOW, 100))) == expected
    assert list(world.run(world.facts.due(NOW, 2))) == expected[:2]
    assert list(world.run(world.facts.due(NOW + 30, 100))) == [*expected, keys[3], keys[0]]
    assert list(world.run(world.facts.due(NOW - 8_000_000, 100))) == []


# --- redrives and what goes


def test_facts_that_go_are_gone_for_good(world: World) -> None:
    puts = {f"f{number}": Put(DONE, NotDone(), numbered=number == 1) for number in range(4)}
    made = _made(world, puts=puts)
    image = _applied(world, Commit(made.key, 0, NOW, removes=frozenset({"f0", "f1", "f9"})))
    assert set(image.facts) == {"f2", "f3"}
    assert image.size < made.size
    again = _applied(world, Commit(made.key, 0, NOW, puts={"f0": Put(DONE, Absent()), "f1": Put(DONE, Absent())}))
    assert again.facts["f1"] == DONE  # without the order of the one before
    numbered = {"f0": Put(DONE, NotDone()), "f2": Put(replace(DONE, attempt=2), Exactly(DONE), numbered=True)}
    both = Commit(made.key, 0, NOW, removes=frozenset({"f2", "f3"}), puts={"f2": numbered["f2"]})
    assert _applied(world, both).facts == {"f0": DONE, "f1": DONE, "f2": replace(DONE, attempt=2, order=3)}


def test_a_fact_that_goes_is_still_what_the_guard_looks_at(world: World) -> None:
    made = _made(world, puts={"f0": Put(DONE, NotDone())})
    both = Commit(made.key, 0, NOW, removes=frozenset({"f0"}), puts={"f0": Put(Counted(1), Absent())})
    assert _refused(world, both) == made
    assert _applied(world, replace(both, puts={"f0": Put(Counted(1), Exactly(DONE))})).facts == {"f0": Counted(1)}


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.TIMED_OUT])
def test_a_redrive_begins_the_next_epoch_and_keeps_what_it_does_not_name(world: World, status: Status) -> None:
    failed = Done(How.FAILED, "error", 1, NOW, "i1")
    reason = Reason(status, "f1", "x", "y")
    puts = {"f0": Put(DONE, NotDone(), numbered=True), "f1": Put(failed, NotDone(), numbered=True)}
    made = _made(world, puts=puts, ending=reason)
    ended = _applied(world, Commit(made.key, 0, NOW + 5, finish=Finish(status, "i0")))
    assert (ended.ended, ended.output_pack, ended.next_check) == (NOW + 5, "i0", None)
    counts = {redrive_name(1): Put(Counted(1), Absent())}
    write = redriven(ended, frozenset({"f1"}), counts)
    image = _applied(world, write)
    assert image.facts == {"f0": replace(DONE, order=0), redrive_name(1): Counted(1)}
    assert (image.status, image.epoch, image.rev, image.next_check) == (Status.RUNNING, 1, 3, NOW + 60_000)
    assert (image.reason, image.output_pack, image.ended) == (None, "", 0)
    assert (image.birth, image.inline) == (made.birth, made.inline)
    assert _refused(world, write) == image
    assert _refused(world, Commit(made.key, 0, NOW, puts={"f1": Put(failed, NotDone())})) == image
    assert list(world.run(world.facts.unfinished(100))) == [(made.key, 1)]
    other = Reason(Status.CANCELLED, "", "cancelled", "by hand")
    _applied(world, Cancel(made.key, other, NOW + 10, NOW + 11))
    again = _applied(world, Commit(made.key, 1, NOW + 12, finish=Finish(Status.CANCELLED)))
    assert (again.reason, again.ended, again.output_pack, again.epoch) == (other, NOW + 12, "", 1)


def test_what_has_succeeded_or_still_runs_is_not_redriven(world: World) -> None:
    for finish in (None, Finish(Status.SUCCEEDED)):
        image = _made(world, finish=finish)
        assert _refused(world, redriven(image, frozenset(), {})) == image


def test_a_redrive_may_end_again_in_the_same_write(world: World) -> None:
    made = _made(world, ending=FAILED, finish=Finish(Status.FAILED, "i0"))
    anywhere = frozenset(Status)
    other = Reason(Status.TIMED_OUT, "", "deadline", "too long")
    write = Commit(made.key, 0, NOW + 3, allowed=anywhere, redrives=True, ending=other, finish=Finish(Status.TIMED_OUT))
    image = _applied(world, write)
    assert (image.epoch, image.reason, image.ended, image.output_pack) == (1, other, NOW + 3, "")
    with_output = Commit(
        made.key, 1, NOW + 4, allowed=anywhere, redrives=True, finish=Finish(Status.SUCCEEDED, "i9", told=False)
    )
    image = _applied(world, with_output)
    assert (image.epoch, image.reason, image.ended, image.output_pack) == (2, None, NOW + 4, "i9")


# --- lanes


def test_a_lane_is_taken_waited_for_and_handed_on(world: World) -> None:
    key = lane_key("main", world.new_key().execution)
    held, waits = Placed(NOW, is_held=True), Placed(NOW, is_held=False)
    first = _applied(world, place(None, key, "a" * 26, held, NOW, EXPIRES))
    assert (first.key, first.facts, first.birth) == (key, {place_name("a" * 26): held}, None)
    assert _refused(world, place(None, key, "b" * 26, held, NOW, EXPIRES)) == first
    second = _applied(world, place(first, key, "b" * 26, waits, NOW, EXPIRES))
    assert _refused(world, place(first, key, "c" * 26, waits, NOW, EXPIRES)) == second
    third = _applied(world, leave(second, "a" * 26, {"b" * 26: held}, NOW, EXPIRES))
    assert third.facts == {place_name("b" * 26): held}
    assert _refused(world, leave(second, "a" * 26, {"b" * 26: held}, NOW, EXPIRES)) == third
    assert _applied(world, leave(third, "b" * 26, {}, NOW, EXPIRES)).facts == {}


# --- anything


@pytest.mark.parametrize("part", PARTS)
def test_whatever_is_written_means_what_the_engine_says(world: World, part: str) -> None:
    for seed in range(3):
        key = _part(world, part)
        chance = Chance(1000 * PARTS.index(part) + seed, key)
        image: Image | None = None
        for _ in range(25):
            write = chance.write(image)
            answer = world.run(world.facts.write(write))
            expected = apply(image, write) if allows(image, write) else image
            assert isinstance(answer, Applied if allows(image, write) else Refused), (image, write, answer)
            assert same(answer.image, expected), (image, write, answer)
            image = answer.image
        assert world.run(world.facts.read(key)) == image

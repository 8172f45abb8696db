import asyncio
from dataclasses import replace

import pytest

from chalicelib.engine.facts import Claimed, Done, How
from chalicelib.engine.records import Reason, RecordKey, Status
from chalicelib.engine.writes import (
    ANYWHERE,
    Answer,
    Applied,
    Cancel,
    Commit,
    Exactly,
    Finish,
    Free,
    NotDone,
    Put,
    Refused,
    Write,
)
from chalicelib.errors import NotFoundError
from tests.contracts.world import NOW, World, birth, creation

DONE = Done(How.SUCCEEDED, "done", 1, NOW, "i1")
FAILED = Reason(Status.FAILED, "charge", "http_402", "card declined: \u00e9, \U0001f600")
CANCELLED = Reason(Status.CANCELLED, "", "cancelled", "by hand")


def _write(world: World, write: Write) -> Answer:
    answer = world.run(world.facts.write(write))
    assert world.run(world.facts.read(write.key)) == answer.image
    return answer


def _made(world: World, **others: object) -> RecordKey:
    key = world.new_key()
    assert isinstance(_write(world, creation(key, **others)), Applied)
    return key


def test_a_creation_is_read_back_whole(world: World) -> None:
    key = world.new_key()
    born = birth(deadline=NOW + 9, parent="x.y", retry_of="z", keyed=True)
    answer = _write(world, creation(key, birth=born, inline={"i0": '{"a":"\u20ac"}'}, busy=NOW + 7))
    image = answer.image
    assert isinstance(answer, Applied)
    assert image is not None
    assert (image.key, image.status, image.epoch, image.rev, image.birth) == (key, Status.RUNNING, 0, 1, born)
    assert (image.inline, image.busy, image.next_check) == ({"i0": '{"a":"\u20ac"}'}, NOW + 7, NOW + 60_000)
    assert (image.reason, image.output_pack, image.ended) == (None, "", 0)
    assert image.size > 0


def test_what_was_never_created_is_not_there(world: World) -> None:
    key = world.new_key()
    assert world.run(world.facts.read(key)) is None
    assert _write(world, Commit(key, 0, NOW, puts={"f0": Put(DONE, NotDone())})) == Refused(None)
    assert _write(world, Cancel(key, CANCELLED, NOW, NOW)) == Refused(None)


def test_a_second_creation_is_refused_with_the_first(world: World) -> None:
    key = _made(world, birth=birth(started=NOW))
    answer = _write(world, creation(key, birth=birth(started=NOW + 1)))
    assert isinstance(answer, Refused)
    assert answer.image is not None
    assert answer.image.birth == birth(started=NOW)


def test_created_claimed_and_ended_in_one_write(world: World) -> None:
    key = world.new_key()
    puts = {"f0": Put(DONE, NotDone()), "f1": Put(Claimed("t", NOW + 9, 1), Free())}
    claimed = _write(world, creation(key, puts=puts, inline={"i0": "{}", "i1": "{}"}))
    assert isinstance(claimed, Applied)
    assert claimed.image.rev == 1
    assert claimed.image.facts["f1"] == Claimed("t", NOW + 9, 1)

    other = world.new_key()
    finish = Finish(Status.SUCCEEDED, "i2")
    inline = {"i0": "{}", "i1": "{}", "i2": '{"output":1}'}
    ended = _write(world, creation(other, puts={"f0": Put(DONE, NotDone())}, finish=finish, inline=inline))
    assert isinstance(ended, Applied)
    image = ended.image
    assert (image.status, image.ended, image.output_pack, image.next_check) == (Status.SUCCEEDED, NOW, "i2", None)
    assert image.inline == inline
    assert image.rev == 1


def test_a_failure_may_begin_and_end_the_ending_in_one_write(world: World) -> None:
    key = _made(world)
    answer = _write(world, Commit(key, 0, NOW + 5, ending=FAILED, finish=Finish(Status.FAILED)))
    assert isinstance(answer, Applied)
    assert (answer.image.status, answer.image.reason, answer.image.ended) == (Status.FAILED, FAILED, NOW + 5)


def test_an_ending_keeps_its_first_reason(world: World) -> None:
    key = _made(world)
    first = _write(world, Commit(key, 0, NOW, ending=FAILED))
    assert isinstance(first, Applied)
    assert (first.image.status, first.image.reason) == (Status.ENDING, FAILED)
    second = _write(world, Commit(key, 0, NOW, ending=CANCELLED, puts={"f1": Put(DONE, NotDone())}))
    assert isinstance(second, Applied)
    assert (second.image.status, second.image.reason) == (Status.ENDING, FAILED)


def test_a_write_takes_a_hundred_facts_and_no_more(world: World) -> None:
    key = world.new_key()
    puts = {f"f{number}": Put(replace(DONE, attempt=number), NotDone()) for number in range(100)}
    answer = _write(world, creation(key, puts=puts))
    assert isinstance(answer, Applied)
    assert len(answer.image.facts) == 100
    with pytest.raises(ValueError, match="101 facts"):
        Commit(key, 0, NOW, puts={**puts, "f100": Put(DONE, NotDone())})


def test_the_next_check_only_moves_earlier(world: World) -> None:
    key = _made(world, next_check=NOW + 100)
    seen: list[int | None] = []
    for moment in (NOW + 200, NOW + 100, NOW + 50, None, NOW + 70, NOW + 20):
        answer = _write(world, Commit(key, 0, NOW, next_check=moment))
        assert isinstance(answer, Applied)
        seen.append(answer.image.next_check)
    assert seen == [NOW + 100, NOW + 100, NOW + 50, NOW + 50, NOW + 50, NOW + 20]


def test_whoever_waits_for_the_end_keeps_the_due_entry(world: World) -> None:
    key = _made(world, next_check=NOW + 100)
    untold = _write(world, Commit(key, 0, NOW, finish=Finish(Status.SUCCEEDED, "p1", told=False)))
    assert isinstance(untold, Applied)
    assert (untold.image.status, untold.image.next_check) == (Status.SUCCEEDED, NOW + 100)
    told = Commit(key, 0, NOW + 5, finish=Finish(Status.SUCCEEDED), allowed=frozenset({Status.SUCCEEDED}))
    answer = _write(world, told)
    assert isinstance(answer, Applied)
    assert (answer.image.next_check, answer.image.ended, answer.image.output_pack) == (None, NOW, "p1")


def test_another_epoch_is_refused(world: World) -> None:
    key = _made(world)
    for epoch in (1, -1):
        assert isinstance(_write(world, Commit(key, epoch, NOW, puts={"f0": Put(DONE, NotDone())})), Refused)


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT])
def test_nothing_follows_the_end(world: World, status: Status) -> None:
    key = _made(world)
    ending = Reason(status, "", "x", "y") if status is not Status.SUCCEEDED else None
    ended = _write(world, Commit(key, 0, NOW, ending=ending, finish=Finish(status)))
    assert isinstance(ended, Applied)
    later: list[Write] = [
        Commit(key, 0, NOW, puts={"f0": Put(DONE, NotDone())}),
        Commit(key, 0, NOW, puts={"f0": Put(Claimed("t", NOW + 9, 1), Free())}),
        Commit(key, 0, NOW, finish=Finish(Status.FAILED)),
        Commit(key, 0, NOW, ending=CANCELLED),
        Cancel(key, CANCELLED, NOW, NOW),
        creation(key),
    ]
    for write in later:
        assert _write(world, write) == Refused(ended.image)


def test_a_cancel_stops_claims_and_lets_held_steps_finish(world: World) -> None:
    claim = Claimed("t", NOW + 9, 1)
    key = _made(world, puts={"f0": Put(claim, Free())}, next_check=NOW + 100)
    cancelled = _write(world, Cancel(key, CANCELLED, NOW, NOW + 50))
    assert isinstance(cancelled, Applied)
    image = cancelled.image
    assert (image.status, image.reason, image.epoch, image.next_check) == (Status.ENDING, CANCELLED, 0, NOW + 50)
    assert image.facts == {"f0": claim}

    assert isinstance(_write(world, Cancel(key, CANCELLED, NOW, NOW)), Refused)
    assert isinstance(_write(world, Commit(key, 0, NOW, puts={"f1": Put(Claimed("u", NOW, 1), Free())})), Refused)
    assert isinstance(_write(world, Commit(key, 0, NOW, finish=Finish(Status.SUCCEEDED))), Refused)
    assert isinstance(_write(world, Commit(key, 0, NOW, puts={"f0": Put(DONE, Exactly(claim))})), Applied)
    ended = _write(world, Commit(key, 0, NOW, finish=Finish(Status.CANCELLED)))
    assert isinstance(ended, Applied)
    assert (ended.image.status, ended.image.reason) == (Status.CANCELLED, CANCELLED)


def test_a_step_of_on_failure_is_claimed_while_it_ends(world: World) -> None:
    key = _made(world)
    put = {"f5": Put(Claimed("t", NOW + 9, 1), Free())}
    ends = frozenset({Status.ENDING})
    assert isinstance(_write(world, Commit(key, 0, NOW, puts=put, allowed=ends)), Refused)
    _write(world, Commit(key, 0, NOW, ending=FAILED))
    assert isinstance(_write(world, Commit(key, 0, NOW, puts=put, allowed=ends)), Applied)


def test_of_many_claims_at_once_exactly_one_wins(world: World) -> None:
    key = _made(world)

    async def race() -> list[Answer]:
        claims = [Put(Claimed(f"t{number}", NOW + 1000, 1), Free()) for number in range(8)]
        writes = [Commit(key, 0, NOW, puts={"f0": claim}) for claim in claims]
        return list(await asyncio.gather(*(world.facts.write(write) for write in writes)))

    answers = world.run(race())
    winners = [number for number, answer in enumerate(answers) if isinstance(answer, Applied)]
    assert len(winners) == 1
    for answer in answers:
        assert answer.image is not None
        assert answer.image.facts["f0"] == Claimed(f"t{winners[0]}", NOW + 1000, 1)


def test_of_many_creations_at_once_exactly_one_wins(world: World) -> None:
    key = world.new_key()

    async def race() -> list[Answer]:
        births = [creation(key, birth=birth(started=NOW + number, keyed=number % 2 == 0)) for number in range(8)]
        return list(await asyncio.gather(*(world.facts.write(write) for write in births)))

    answers = world.run(race())
    assert sum(isinstance(answer, Applied) for answer in answers) == 1
    assert len({answer.image.birth for answer in answers if answer.image}) == 1


def test_an_inline_pack_is_never_overwritten(world: World) -> None:
    key = _made(world, inline={"i0": "first"})
    refused = _write(world, Commit(key, 0, NOW, inline={"i0": "second"}))
    assert isinstance(refused, Refused)
    added = _write(world, Commit(key, 0, NOW, inline={"i1": "second"}))
    assert isinstance(added, Applied)
    assert added.image.inline == {"i0": "first", "i1": "second"}
    assert added.image.size > refused.image.size if refused.image else False


def test_pack_items_are_read_by_their_name(world: World) -> None:
    key = _made(world, packs={"pa": '{"f0":{"v":"\u20ac"}}'})
    _write(world, Commit(key, 0, NOW, packs={"pb": "x" * 8000}))
    assert world.run(world.facts.pack(key, "pa")) == '{"f0":{"v":"\u20ac"}}'
    assert world.run(world.facts.pack(key, "pb")) == "x" * 8000
    for missing in (("pc", key), ("pa", world.new_key())):
        with pytest.raises(NotFoundError):
            world.run(world.facts.pack(missing[1], missing[0]))


def test_a_loop_has_a_record_of_its_own(world: World) -> None:
    key = _made(world)
    loop = RecordKey(key.tenant, key.execution, "items")
    put = {"f3_0.1": Put(DONE, NotDone())}
    assert _write(world, Commit(loop, 0, NOW, puts=put)) == Refused(None)
    made = _write(world, Commit(loop, 0, NOW, creates=True, puts=put, packs={"pz": "loop"}))
    assert isinstance(made, Applied)
    assert (made.image.key, made.image.birth, made.image.status) == (loop, None, Status.RUNNING)
    assert isinstance(_write(world, Commit(loop, 0, NOW, creates=True)), Refused)
    assert isinstance(_write(world, Commit(loop, 0, NOW, puts={"f3_0.2": Put(DONE, NotDone())})), Applied)
    assert world.run(world.facts.pack(loop, "pz")) == "loop"
    head = world.run(world.facts.read(key))
    assert head is not None
    assert head.facts == {}


def test_a_cancel_reaches_a_loop_that_has_not_begun(world: World) -> None:
    key = _made(world)
    loop = RecordKey(key.tenant, key.execution, "items")
    cancelled = _write(world, Cancel(loop, CANCELLED, NOW, NOW))
    assert isinstance(cancelled, Applied)
    assert (cancelled.image.status, cancelled.image.reason) == (Status.ENDING, CANCELLED)
    assert isinstance(_write(world, Commit(loop, 0, NOW, creates=True)), Refused)
    assert isinstance(_write(world, Commit(loop, 0, NOW, puts={"f0": Put(Claimed("t", NOW, 1), Free())})), Refused)


def test_tenants_do_not_meet(world: World) -> None:
    key = _made(world, packs={"pa": "mine"})
    other = RecordKey("other", key.execution)
    assert world.run(world.facts.read(other)) is None
    assert isinstance(_write(world, creation(other)), Applied)
    with pytest.raises(NotFoundError):
        world.run(world.facts.pack(other, "pa"))


def test_busy_says_until_when_somebody_works_on_it(world: World) -> None:
    key = _made(world, busy=NOW + 5)
    kept = _write(world, Commit(key, 0, NOW, puts={"f0": Put(DONE, NotDone())}, allowed=ANYWHERE))
    moved = _write(world, Commit(key, 0, NOW, busy=NOW + 9))
    assert isinstance(kept, Applied)
    assert isinstance(moved, Applied)
    assert (kept.image.busy, moved.image.busy) == (NOW + 5, NOW + 9)


def test_what_still_has_a_due_entry_is_unfinished(world: World) -> None:
    running, ended, ending = _made(world), _made(world), _made(world)
    _write(world, Commit(ended, 0, NOW, finish=Finish(Status.SUCCEEDED)))
    _write(world, Commit(ending, 0, NOW, ending=FAILED))
    _write(world, Commit(RecordKey("main", running.execution, "items"), 0, NOW, creates=True, next_check=NOW))
    found = world.run(world.facts.unfinished(100))
    assert sorted(found, key=lambda each: each[0].execution) == [(running, 0), (ending, 0)]
    assert len(world.run(world.facts.unfinished(1))) == 1

from dataclasses import replace
from random import Random

from chalicelib.engine.conditions import allows, apply
from chalicelib.engine.facts import Claimed, Done, How
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.salvage import Salvage, is_recorded, salvage
from chalicelib.engine.writes import ANYWHERE, RUNS, Cancel, Commit, Exactly, Finish, Free, NotDone, Put

KEY = RecordKey("main", "e1")
NOW = 1000
BIRTH = Birth("f", "v", "t", 1, "i0", "h")
MINE = Claimed("mine", NOW + 50, 1)
THEIRS = Claimed("theirs", NOW + 50, 1)


def _done(pack: str = "", ended: int = NOW, how: How = How.SUCCEEDED) -> Done:
    return Done(how, "done" if how is How.SUCCEEDED else "error", 1, ended, pack)


def _image(status: Status = Status.RUNNING, epoch: int = 0, inline: dict[str, str] | None = None, **facts) -> Image:
    return Image(KEY, status, epoch, 4, BIRTH, facts, inline or {})


def _commit(puts: dict[str, Put], **others) -> Commit:
    return Commit(KEY, 0, NOW, puts=puts, **others)


def _saved(commit: Commit, image: Image) -> Salvage:
    """Salvage of a commit that this image refuses; what is left must be allowed at once."""
    assert not allows(image, commit)
    saved = salvage(commit, image)
    if saved.rest is not None:
        assert allows(image, saved.rest)
        kept = saved.rest.puts.keys()
        assert not kept & (saved.adopted | saved.refused | saved.recorded)
        assert kept | saved.adopted | saved.refused | saved.recorded == commit.puts.keys()
    return saved


def test_what_the_image_has_is_taken_out_and_the_rest_is_written() -> None:
    commit = _commit({"f0": Put(_done("i1"), NotDone()), "f1": Put(_done("i1"), NotDone())}, inline={"i1": "x"})
    saved = _saved(commit, _image(f0=_done("p7", ended=NOW - 1)))
    assert saved == Salvage(commit.without(frozenset({"f0"})), frozenset({"f0"}), frozenset())


def test_a_refused_claim_does_not_undo_the_commit_it_was_fused_with() -> None:
    commit = _commit({"f0": Put(_done(), NotDone()), "f1": Put(MINE, Free())})
    saved = _saved(commit, _image(f1=THEIRS))
    assert saved.rest is not None
    assert saved.rest.puts == {"f0": commit.puts["f0"]}
    assert saved.rest.allowed == ANYWHERE
    assert (saved.adopted, saved.refused) == (frozenset(), {"f1"})


def test_a_claim_that_is_still_free_is_kept() -> None:
    commit = _commit({"f0": Put(_done(), NotDone()), "f1": Put(MINE, Free())})
    saved = _saved(commit, _image(f0=_done(ended=1)))
    assert saved.rest is not None
    assert saved.rest.puts == {"f1": commit.puts["f1"]}
    assert saved.rest.allowed == RUNS


def test_after_a_cancel_the_claims_go_and_the_results_stay() -> None:
    commit = _commit({"f0": Put(_done(), NotDone()), "f1": Put(MINE, Free())})
    cancelled = apply(_image(), Cancel(KEY, Reason(Status.CANCELLED, "", "c", "m"), NOW, NOW))
    saved = _saved(commit, cancelled)
    assert saved.rest is not None
    assert saved.rest.puts.keys() == {"f0"}
    assert saved.refused == {"f1"}


def test_a_leased_outcome_whose_token_stands_is_always_kept() -> None:
    commit = _commit({"f0": Put(_done(), NotDone()), "f1": Put(_done(), Exactly(MINE))})
    for image in (
        _image(f0=_done(ended=1), f1=MINE),
        _image(Status.ENDING, f0=_done(ended=1), f1=MINE),
        _image(Status.PAUSED, f0=_done(ended=1), f1=MINE),
        _image(epoch=1, f1=MINE),
    ):
        saved = _saved(commit, image)
        assert saved.rest is not None
        assert saved.rest.puts == {"f1": commit.puts["f1"]}


def test_a_stale_token_never_commits() -> None:
    commit = _commit({"f1": Put(_done(), Exactly(MINE))})
    assert _saved(commit, _image(f1=THEIRS)) == Salvage(None, frozenset(), frozenset({"f1"}))
    assert _saved(commit, _image(f1=_done(ended=1))) == Salvage(None, frozenset({"f1"}), frozenset())
    assert _saved(commit, _image()) == Salvage(None, frozenset(), frozenset({"f1"}))


def test_an_unleased_result_of_another_epoch_never_commits() -> None:
    commit = _commit({"f0": Put(_done(), NotDone()), "f1": Put(MINE, Free())}, finish=Finish(Status.SUCCEEDED))
    assert _saved(commit, _image(epoch=1)) == Salvage(None, frozenset(), frozenset({"f0", "f1"}))


def test_nothing_is_written_after_the_end() -> None:
    commit = _commit({"f1": Put(_done(), Exactly(MINE))}, ending=Reason(Status.FAILED, "a", "x", "y"))
    assert _saved(commit, _image(Status.FAILED, f1=MINE)) == Salvage(None, frozenset(), frozenset({"f1"}))


def test_a_creation_that_came_second_is_the_same_write_without_it() -> None:
    commit = _commit(
        {"f0": Put(_done("i1"), NotDone())},
        birth=BIRTH,
        inline={"i0": "{}", "i1": "one"},
        finish=Finish(Status.SUCCEEDED),
    )
    saved = _saved(commit, _image(inline={"i0": "{}"}))
    assert saved.rest is not None
    assert saved.rest.birth is None
    assert saved.rest.finish == commit.finish
    assert saved.rest.inline == {"i1": "one"}
    loop = replace(commit, birth=None, creates=True, key=RecordKey("main", "e1", "items"))
    again = _saved(loop, _image())
    assert again.rest is not None
    assert not again.rest.creates


def test_inline_packs_never_take_a_name_that_is_taken() -> None:
    commit = _commit(
        {"f0": Put(_done("i1"), NotDone()), "f1": Put(_done("i2"), NotDone())},
        inline={"i1": "one", "i2": "two", "i3": "out"},
        finish=Finish(Status.SUCCEEDED, "i3"),
    )
    image = _image(inline={"i0": "{}", "i1": "theirs", "i3": "theirs"})
    saved = _saved(commit, image)
    assert saved.rest is not None
    after = apply(image, saved.rest)
    said = {name: after.inline[fact.pack] for name, fact in after.facts.items() if isinstance(fact, Done)}
    assert said == {"f0": "one", "f1": "two"}
    assert after.inline[after.output_pack] == "out"
    assert (after.inline["i1"], after.inline["i3"]) == ("theirs", "theirs")


def test_the_end_is_judged_again_where_anything_was_dropped() -> None:
    reason = Reason(Status.FAILED, "a", "x", "y")
    finish = Finish(Status.FAILED)
    puts = {"f0": Put(_done(how=How.FAILED), NotDone()), "f1": Put(_done(), NotDone())}
    lost_another = _saved(_commit(puts, ending=reason, finish=finish), _image(f1=_done(ended=1)))
    assert lost_another.rest is not None
    assert (lost_another.rest.ending, lost_another.rest.finish) == (reason, None)
    lost_the_failure = _saved(_commit(puts, ending=reason, finish=finish), _image(f0=_done(ended=1)))
    assert lost_the_failure.rest is not None
    assert (lost_the_failure.rest.ending, lost_the_failure.rest.finish) == (None, None)


def test_an_end_judged_where_there_was_no_record_is_judged_again_where_there_is_one() -> None:
    commit = Commit(replace(KEY, part="rows/b0"), 0, NOW, creates=True, finish=Finish(Status.SUCCEEDED))
    image = replace(_image(f0=THEIRS), key=commit.key, birth=None)
    assert _saved(commit, image).rest is None
    failed = _commit({}, birth=BIRTH, ending=Reason(Status.FAILED, "", "x", "y"), finish=Finish(Status.FAILED))
    saved = _saved(failed, _image(f0=THEIRS))
    assert saved.rest is not None
    assert (saved.rest.ending, saved.rest.finish) == (failed.ending, None)


def test_success_is_not_written_over_an_ending() -> None:
    commit = _commit({"f0": Put(_done(), NotDone())}, finish=Finish(Status.SUCCEEDED))
    saved = _saved(commit, _image(Status.ENDING))
    assert saved.rest is not None
    assert saved.rest.finish is None
    assert saved.rest.puts == commit.puts
    assert _saved(_commit({}, finish=Finish(Status.SUCCEEDED)), _image(Status.ENDING)).rest is None


def test_a_write_whose_answer_never_came_is_recognised() -> None:
    commit = _commit(
        {"f0": Put(_done("i1"), NotDone(), numbered=True), "f1": Put(MINE, Free())}, birth=BIRTH, inline={"i1": "x"}
    )
    image = apply(None, commit)
    assert is_recorded(commit, image)
    assert is_recorded(commit, apply(image, Commit(KEY, 0, NOW, puts={"f2": Put(_done(), NotDone())})))
    assert not is_recorded(replace(commit, birth=replace(BIRTH, started=2)), image)
    assert not is_recorded(replace(commit, finish=Finish(Status.SUCCEEDED), allowed=RUNS), image)
    assert not is_recorded(commit, apply(image, Commit(KEY, 0, NOW + 50, puts={"f1": Put(THEIRS, Free())})))
    saved = _saved(commit, apply(image, Commit(KEY, 0, NOW, puts={"f2": Put(_done(), NotDone())})))
    assert saved == Salvage(None, frozenset(), frozenset(), frozenset({"f0", "f1"}))


LEASED = {"E": "A", "B": "B0"}
STEPS = ("A", "E", "B0", "B")
NAMES = {each: f"f{number}" for number, each in enumerate(STEPS)}


class _Worker:
    """One invocation of models/group.py: A (safe) before E (a leased POST), beside B0 (safe) before B (leased)."""

    def __init__(self, number: int, drops: bool) -> None:
        self.claims = {step: Claimed(f"w{number}{step}", 10**9, 1) for step in LEASED}
        self.number = number
        self.drops = drops
        self.state = dict.fromkeys(STEPS, "todo")

    def moves(self) -> list[tuple[str, str]]:
        moves = []
        for each in STEPS:
            above = LEASED.get(each)
            if self.state[each] == "todo" and (above is None or self.state[above] in {"finished", "settled"}):
                moves.append(("claim" if above else "work", each))
            elif self.state[each] == "claimed":
                moves.append(("send", each))
        if any(self.state[each] == "finished" for each in LEASED) or (not moves and "finished" in self.state.values()):
            moves.append(("commit", ""))
        return moves

    def write(self, image: Image, claim: str) -> Image:
        puts = {
            NAMES[each]: Put(_done(ended=self.number), Exactly(self.claims[each]) if each in LEASED else NotDone())
            for each in STEPS
            if self.state[each] == "finished"
        }
        if claim:
            puts[NAMES[claim]] = Put(self.claims[claim], Free())
        commit: Commit | None = Commit(KEY, 0, NOW, puts=puts)
        while commit is not None:
            if allows(image, commit):
                image = apply(image, commit)
                break
            # The mistake: a refused group is lost, whatever was in it.
            commit = None if self.drops else salvage(commit, image).rest
        for each in STEPS:
            fact = image.facts.get(NAMES[each])
            if isinstance(fact, Done):
                self.state[each] = "settled"
            elif each == claim:
                self.state[each] = "claimed" if fact == self.claims[each] else "held by another"
            elif self.state[each] == "finished":
                self.state[each] = "todo" if not self.drops or each not in LEASED else "lost"
        return image


def _effects(random: Random, *, drops: bool) -> tuple[dict[str, int], Image]:
    """Two workers hold the same message and interleave at random; then redeliveries, once nobody is at work."""
    image = _image()
    sent = dict.fromkeys(LEASED, 0)
    for round_ in range(4):
        workers = [_Worker(10 * round_ + number, drops) for number in (1, 2)]
        for worker in workers:
            for each in STEPS:
                if isinstance(image.facts.get(NAMES[each]), Done):
                    worker.state[each] = "settled"
        while able := [worker for worker in workers if worker.moves()]:
            worker = random.choice(able)
            kind, name = random.choice(worker.moves())
            if kind == "work":
                worker.state[name] = "finished"
            elif kind == "send":
                sent[name] += 1
                worker.state[name] = "finished"
            else:
                image = worker.write(image, name)
        # Nobody is at work any more: whatever is still claimed was abandoned, and its lease runs out.
        facts = {
            name: replace(fact, expires=0) if isinstance(fact, Claimed) else fact for name, fact in image.facts.items()
        }
        image = replace(image, facts=facts)
    return sent, image


def test_whatever_two_workers_do_no_leased_step_is_sent_twice() -> None:
    for seed in range(1_500):
        sent, image = _effects(Random(seed), drops=False)
        assert sent == {"E": 1, "B": 1}, seed
        assert all(isinstance(image.facts[name], Done) for name in NAMES.values())


def test_dropping_a_refused_group_sends_a_leased_step_twice() -> None:
    assert any(max(_effects(Random(seed), drops=True)[0].values()) > 1 for seed in range(500))

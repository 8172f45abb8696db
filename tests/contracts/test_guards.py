import pytest

from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Waiting
from chalicelib.engine.writes import Applied, Commit, Exactly, Free, Guard, NotDone, Put, Refused
from tests.contracts.world import NOW, World, creation

BOOT = 3
FACTS: dict[str, Fact | None] = {
    "nothing": None,
    "a live claim": Claimed("t1", NOW + 1, 1, BOOT),
    "an expired claim": Claimed("t1", NOW, 1, BOOT),
    "a claim of an earlier boot": Claimed("t1", NOW + 1, 1, BOOT - 1),
    "a retry": Retrying(NOW + 5000, 1, "http_503", "p1"),
    "a wait": Waiting("timer", NOW + 5000, NOW),
    "an end": Done(How.SUCCEEDED, "done", 1, NOW, "p1"),
    "a failure": Done(How.FAILED, "error", 2, NOW, "p1"),
}
ALLOWED = {
    "not done": {"nothing", "a live claim", "an expired claim", "a claim of an earlier boot", "a retry", "a wait"},
    "free": {"nothing", "an expired claim", "a claim of an earlier boot"},
    "exactly this": set(FACTS) - {"nothing"},
    "exactly another": set[str](),
}


def _guard(name: str, fact: Fact | None) -> Guard:
    other = Claimed("t2", NOW + 1, 1, BOOT)
    return {
        "not done": NotDone(),
        "free": Free(),
        "exactly this": Exactly(fact if fact is not None else other),
        "exactly another": Exactly(other),
    }[name]


@pytest.mark.parametrize("guard", ALLOWED)
@pytest.mark.parametrize("state", FACTS)
def test_a_guard_allows_what_its_sentence_says(world: World, state: str, guard: str) -> None:
    if "boot" in state and not world.has_boots:
        pytest.skip("leases have no boot there")
    boot = BOOT if world.has_boots else 0
    fact = FACTS[state]
    if isinstance(fact, Claimed) and not world.has_boots:
        fact = Claimed(fact.token, fact.expires, fact.attempt, 0)
    key = world.new_key()
    puts = {} if fact is None else {"f1": Put(fact, NotDone())}
    made = world.run(world.facts.write(creation(key, puts=puts)))
    assert isinstance(made, Applied)

    mine = Done(How.SUCCEEDED, "done", 7, NOW, "p9")
    commit = Commit(key, 0, NOW, boot=boot, puts={"f1": Put(mine, _guard(guard, fact))})
    answer = world.run(world.facts.write(commit))

    if state in ALLOWED[guard]:
        assert isinstance(answer, Applied)
        assert answer.image.facts == {"f1": mine}
        assert answer.image.rev == 2
    else:
        assert isinstance(answer, Refused)
        assert answer.image == made.image
    assert world.run(world.facts.read(key)) == answer.image


def test_one_refused_fact_refuses_the_whole_write(world: World) -> None:
    key = world.new_key()
    first = Done(How.SUCCEEDED, "done", 1, NOW)
    made = world.run(world.facts.write(creation(key, puts={"f1": Put(first, NotDone())})))
    puts = {name: Put(Done(How.SUCCEEDED, "done", 1, NOW + 1), NotDone()) for name in ("f0", "f1", "f2")}
    answer = world.run(world.facts.write(Commit(key, 0, NOW, puts=puts, inline={"i7": "lost"}, next_check=NOW)))
    assert isinstance(answer, Refused)
    assert answer.image == made.image
    assert world.run(world.facts.read(key)) == made.image


def test_a_fact_comes_back_to_the_letter(world: World) -> None:
    key = world.new_key()
    facts = {f"f{number}": fact for number, fact in enumerate(FACTS.values()) if fact is not None}
    world.run(world.facts.write(creation(key, puts={name: Put(fact, NotDone()) for name, fact in facts.items()})))
    image = world.run(world.facts.read(key))
    assert image is not None
    assert image.facts == facts


def test_a_numbered_fact_carries_the_count_of_the_writes_before_it(world: World) -> None:
    key = world.new_key()
    done = Done(How.SUCCEEDED, "done", 1, NOW, "p1")
    world.run(world.facts.write(creation(key, puts={"f0": Put(done, NotDone(), numbered=True)})))
    world.run(world.facts.write(Commit(key, 0, NOW, busy=5)))
    puts = {"f1": Put(done, NotDone(), numbered=True), "f2": Put(done, NotDone())}
    answer = world.run(world.facts.write(Commit(key, 0, NOW, puts=puts)))
    image = world.run(world.facts.read(key))
    assert isinstance(answer, Applied)
    assert image == answer.image
    orders = {name: fact.order for name, fact in image.facts.items() if isinstance(fact, Done)}
    assert orders == {"f0": 0, "f1": 2, "f2": -1}

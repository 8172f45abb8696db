"""The list behind the embedded queues stays as long as what is in it."""

from datetime import timedelta

from chalicelib.adapters.due_list import MOST_OUT_OF_DATE, DueList, Letter, milliseconds
from tests.contracts.world import NOW, HandClock


def letter(number: int, visible_at: int = NOW) -> Letter:
    return Letter(number, None, "x", visible_at)


def test_what_was_acknowledged_takes_no_room_although_it_was_hidden_for_long() -> None:
    letters = DueList(HandClock())
    for number in range(5_000):
        letters.add([letter(number)])
        (taken,) = letters.take(1, NOW + 960_000)
        letters.remove(taken.received.handle)
    assert len(letters) == 0
    assert len(letters._due) <= MOST_OUT_OF_DATE + 2


def test_everything_still_comes_at_its_moment_after_the_list_was_made_anew() -> None:
    clock = HandClock()
    letters = DueList(clock)
    kept = [letter(number, NOW + 1_000 * (number % 7)) for number in range(40)]
    letters.add(kept)
    for number in range(1_000, 1_400):
        letters.add([letter(number)])
        letters.remove(f"{number}.0")
    assert len(letters._due) <= 2 * len(kept) + MOST_OUT_OF_DATE + 1
    found: list[int] = []
    for second in range(7):
        assert milliseconds(clock) == NOW + 1_000 * second
        found += [each.number for each in letters.take(100, NOW + 960_000)]
        clock._now += timedelta(seconds=1)
    assert found == sorted(range(40), key=lambda number: (number % 7, number))


def test_a_letter_that_is_moved_again_and_again_is_there_once() -> None:
    letters = DueList(HandClock())
    letters.add([letter(1), letter(2)])
    for _ in range(500):
        for each in letters.take(2, NOW + 960_000):
            letters.postpone(each.received.handle, NOW)
    assert [each.number for each in letters.take(5, NOW + 960_000)] == [1, 2]
    assert letters.take(5, NOW + 960_000) == []
    assert len(letters._due) <= MOST_OUT_OF_DATE + 5

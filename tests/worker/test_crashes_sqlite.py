"""The same deaths on SQLite: what the next boot finds in the file is enough. A sample; `make crashes` tries them all."""

import pytest

from tests.worker.canon import CANON
from tests.worker.crash_stores import tried_on_sqlite
from tests.worker.crashes import STORIES, points, undisturbed
from tests.worker.lives import run

SINGLE, PAIRS = 8, 6
"""Deaths, and pairs of them, that are tried for each flow."""


@pytest.mark.parametrize("name", STORIES)
def test_the_next_boot_ends_what_a_dead_one_left_in_its_file(name, tmp_path):
    async def sweep():
        whole = await undisturbed(CANON[name])
        single = [(point,) for point in points(whole.calls)]
        pairs = [(first, second) for first in points(whole.calls) for second in points(whole.calls)]
        chosen = single[STORIES.index(name) % 3 :: max(1, len(single) // SINGLE)]
        chosen += pairs[STORIES.index(name) :: max(1, len(pairs) // PAIRS)]
        return [await tried_on_sqlite(name, deaths, whole, tmp_path, number) for number, deaths in enumerate(chosen)]

    met = run(sweep())
    assert len(met) >= SINGLE
    assert min(met) >= 1

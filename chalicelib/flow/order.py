"""The order in which steps can be judged: sources first; and the circles that make one impossible."""

from collections.abc import Iterable, Mapping


def in_order(waits: Mapping[str, Iterable[str]]) -> tuple[list[str], list[list[str]]]:
    """Sort names so that everything stands behind what it waits for.

    Returns the order, without the names in or behind a circle, and one circle for each knot of names that wait for each
    other: `[a, b]` says that a waits for b and b for a. Takes no recursion: flows may be long chains.
    """
    sources = {name: [source for source in dict.fromkeys(wanted) if source in waits] for name, wanted in waits.items()}
    followers: dict[str, list[str]] = {name: [] for name in waits}
    for name, wanted in sources.items():
        for source in wanted:
            followers[source].append(name)
    missing = {name: len(wanted) for name, wanted in sources.items()}
    order = [name for name, count in missing.items() if count == 0]
    for name in order:
        for follower in followers[name]:
            missing[follower] -= 1
            if missing[follower] == 0:
                order.append(follower)
    stuck = {name: [source for source in sources[name] if missing[source]] for name in waits if missing[name]}
    return order, _circles(stuck)


def _circles(stuck: Mapping[str, list[str]]) -> list[list[str]]:
    """One circle from each place where following sources comes back to itself."""
    circles: list[list[str]] = []
    done: set[str] = set()
    for start in stuck:
        trail: dict[str, int] = {}
        name = start
        # Everything stuck has a stuck source, so following the first one must come back somewhere.
        while name not in done and name not in trail:
            trail[name] = len(trail)
            name = stuck[name][0]
        if name in trail:
            circles.append(list(trail)[trail[name] :])
        done.update(trail)
    return circles

"""A deterministic simulation: the real engine and the real worker in a world of faults, under a seeded scheduler.

`clockwork` is the event loop: time stands still until the scheduler moves it, and nothing runs that it did not release.
`ports` puts a gate before every call to the world. `queue`, `outside` and `world` are that world: as bad as a cloud may
be. `flows` draws random flows, `faults` the misfortunes, `invariants` watches, `schedule` runs one seed.

The same seed gives the same trace, always. A world holds one flow or a few, several workers, and about a hundred calls.
"""

"""Everything in memory: for tests and simulations, good enough to ship."""

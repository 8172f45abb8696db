"""Throws malformed input at every parser; whatever is no value and no declared error is a finding.

    python -m tools.fuzz --inputs 300000
    python -m tools.fuzz --seconds 60
    python -m tools.fuzz --parser cron --parser url --inputs 100000 --seed 7

Each parser has a row in one of the `of_*.py` files: where its valid examples come from, how it is called, and what it
may raise. What changes those examples is in `mutating.py`. Two processes do the work under a limit of their memory; the
one that started them watches that none hangs. What is found is made small, printed, and, with `--keep`, written to
`tests/vectors/fuzz-found.json`, which `make test` tries again. `docs/fuzzing.md` says what a run shows and what not.
"""

"""The command line: what people and scripts type.

Data goes to stdout, progress and errors to stderr; `--json` makes the data JSON. Exit codes: 0 success, 1 the thing
failed, 2 usage or a failed check, 3 unreachable or refused. A command imports what it needs when it runs, so that
`penstock --help` costs little.
"""

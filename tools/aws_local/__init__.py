"""A local AWS for tests and for `make aws-local`: moto, made to behave where it matters to us.

What moto lacks and this adds: it takes what Chalice deploys (`gateway`), its tables, queues and buckets stand calls
from several threads (`locks`), functions execute the deployed zip (`functions`), queues deliver to them in batches
with partial failures, outside SendMessage (`esm`), and scheduled rules invoke them (`rules`).
`python -m tools.aws_local --port 4566` serves it on loopback.
"""

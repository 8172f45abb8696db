"""The house on one machine: `penstock dev`, its schedules and reloading, and trying a flow in this very process.

Comes in: a folder of flow files, a store, an environment with credentials. Goes out: an HTTP server, or one finished
execution. Only the command line and tools call it. What it does with flows it asks of the API, as any client does.
"""

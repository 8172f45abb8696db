"""What runs a stranger's WebAssembly under limits: the ABI, a look at a module, the engine, and the helper's work.

Nothing here starts a process, opens a socket or knows a store: `adapters/sandbox*.py` starts the process that these
modules run in, and answers what a guest asks of its host. wasmtime is imported in that process alone.
"""

"""One SQLite file: facts, packs, flow versions, queue. WAL, group commit, one writer thread."""

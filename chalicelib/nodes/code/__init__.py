"""Code of the flow's author: what an expression says badly, as a short program. It runs in the sandbox, never here."""

"""HTTP: any API that has no node of its own."""

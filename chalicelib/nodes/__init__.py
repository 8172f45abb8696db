"""The catalogue: one file per service or family. A node is found by its type, never registered."""

"""Text, taken apart and put together: one file per node.

Regular expressions are those of `chalicelib.flow.patterns`: the dialect of expressions, which cannot hang. Positions
count characters from 0.
"""

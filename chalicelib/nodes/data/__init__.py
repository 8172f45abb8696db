"""Lists of rows, reshaped: one file per node.

Every node takes `items` (or `lists`), changes nothing it was given, and returns a new value that shares the rows it did
not have to change. Fields are dotted paths; a row that is no object is reached with the empty path. Numbers are
compared as numbers, text as text by code point (no locale), and null and missing come last however one sorts.
What a rule cannot say, an expression can: `${ [inputs.rows[total > 100 and vip]] }` is a filter too.
"""

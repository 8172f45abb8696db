"""YAML to plain data and back.

Read is what flow files are written in, and a little more, as other people's files have it: several documents, anchors
and merge keys, bounded. Only JSON numbers, `true`, `false` and `null` (also `~` and nothing at all) are not text: a
date, `010`, `+49` and `no` stay what is written.
"""

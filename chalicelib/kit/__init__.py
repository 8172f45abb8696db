"""The words a node is written in: Action, Control, Trigger, Request, Example. Pure: no socket, no clock, no secret.

`kit.values` and `kit.service` are plain dataclasses and cheap to import; `kit.action` and `kit.fields` bring pydantic,
so nothing is re-exported here. Whoever writes a node imports from the file that says what it needs.
"""

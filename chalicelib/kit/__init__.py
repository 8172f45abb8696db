"""The words a node is written in: Action, Control, Trigger, Request, Example. Pure: no sockets, no clock, no secret."""

"""What the AWS front door stands on: Lambda's events in, answers out. `app.py` calls it; it calls what wiring made.

The counterpart of `local`: `bridge` is the one crossing from Lambda's synchronous handlers to the async rooms,
`gateway` and `messages` translate events, `logs` says how the functions log. Nothing here decides anything.
"""

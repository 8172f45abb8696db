"""Times: read, written, shifted and compared; one file per node.

A time goes in as ISO 8601, RFC 2822 or milliseconds since 1970, and comes out as ISO 8601 text in UTC. Where clocks or
calendars matter, the zone is the flow's unless the step names one. What is read and how is said once, in `flow.dates`.
"""

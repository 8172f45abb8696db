"""The front door: hooks and REST. A host hands in a `Request` and gets an `Answer`; no web framework is known here.

`app.Api` is what a host calls; `routes.TABLE` is what it registers; `tools.Tools` is what wiring must bring. A hook
route imports neither pydantic nor a node: every handler's module is imported when its route is first asked for.
"""

"""A way in for people."""

from chalicelib.kit.action import Trigger


class Manual(Trigger):
    """Start an execution by hand: from the console, the command line or the API.

    It fills `inputs` alone, from a form made of the flow's `inputs`.
    """

    hands_over = {"name": "The trigger's id.", "at": "When it was started."}

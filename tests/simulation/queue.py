"""A queue that promises as little as SQS does: at least once, in any order, and an old receipt still deletes."""

from dataclasses import dataclass, field

from chalicelib.engine.messages import Message
from chalicelib.ports import Received

VERSION = 1


@dataclass(slots=True)
class Letter:
    """A message, when it is visible (milliseconds), and how often it was delivered."""

    number: int
    message: Message | None
    visible_at: int
    version: int = VERSION
    """Of the code that sent it: an older worker cannot read a later one."""
    count: int = 0
    bodies: str = ""
    is_copy: bool = False
    is_poison: bool = False
    """Whoever takes it dies."""


@dataclass(slots=True)
class Letters:
    """Every message that was sent and is not acknowledged."""

    visibility: int
    most_receives: int
    by_number: dict[int, Letter] = field(default_factory=dict)
    dead: list[Letter] = field(default_factory=list)
    sent: int = 0

    def add(self, message: Message | None, visible_at: int, version: int, *, body: str = "") -> Letter:
        self.sent += 1
        letter = self.by_number[self.sent] = Letter(self.sent, message, visible_at, version, bodies=body)
        return letter

    def visible(self, now: int) -> list[Letter]:
        return [each for each in self.by_number.values() if each.visible_at <= now]

    def next_visible(self, now: int) -> int | None:
        return min((each.visible_at for each in self.by_number.values() if each.visible_at > now), default=None)

    def take(self, letter: Letter, now: int) -> Received | None:
        """Deliver it; None where it was delivered too often, and is dead now."""
        if letter.number not in self.by_number:
            return None
        letter.count += 1
        if letter.count > self.most_receives:
            del self.by_number[letter.number]
            self.dead.append(letter)
            return None
        letter.visible_at = now + self.visibility
        # A copy comes as a delivery of its own, and knows nothing of the others.
        return Received(f"{letter.number}.{letter.count}", letter.count, letter.message, letter.bodies)

    def acknowledge(self, handle: str) -> Letter | None:
        return self.by_number.pop(int(handle.partition(".")[0]), None)

    def fail(self, handle: str, visible_at: int) -> None:
        number, _, count = handle.partition(".")
        letter = self.by_number.get(int(number))
        if letter is not None and letter.count == int(count):
            letter.visible_at = visible_at

    def about(self, execution: str) -> list[Letter]:
        """Whatever is in the queue, or in somebody's hands, for an execution."""
        return [each for each in self.by_number.values() if each.message and each.message.execution == execution]

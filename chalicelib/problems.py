"""One mistake in a text or a document, and where it stands; errors carry them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it stands, what it is, and what to do about it. Counted from 1; 0 is unknown."""

    where: str
    line: int
    column: int
    what: str
    do: str

    def __str__(self) -> str:
        """The line a person reads: `order.yaml:12:22  what  ->  what to do`."""
        place = ":".join([self.where, *(str(n) for n in (self.line, self.column) if n)])
        return f"{place}  {self.what}  ->  {self.do}" if self.do else f"{place}  {self.what}"

"""Counts what the engine asks of AWS: what a test holds against the budget, and what it costs."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Calls by name, such as `dynamodb.UpdateItem` (every try counts), and DynamoDB's units as it reported them."""

    calls: Counter[str] = field(default_factory=Counter[str])
    write_units: float = 0.0
    """Of tables."""
    index_units: Counter[str] = field(default_factory=Counter[str])
    """Write units of indexes, by name."""
    read_units: float = 0.0

    def clear(self) -> None:
        """Start again from nothing."""
        self.calls.clear()
        self.index_units.clear()
        self.write_units = self.read_units = 0.0

    def note(self, action: str, answer: dict[str, Any]) -> None:
        """Add what one DynamoDB answer says it consumed."""
        found: Any = answer.get("ConsumedCapacity")
        if not found:
            return
        # A call on several tables has a list of them.
        consumed: list[dict[str, Any]] = found if action == "BatchGetItem" else [found]
        for one in consumed:
            total = float(one.get("CapacityUnits", 0.0))
            if action in _READS:
                self.read_units += total
                continue
            indexes: dict[str, dict[str, float]] = one.get("GlobalSecondaryIndexes") or {}
            for name, units in indexes.items():
                self.index_units[name] += units["CapacityUnits"]  # pyright: ignore[reportArgumentType]  fractions count too
            self.write_units += float(one["Table"]["CapacityUnits"]) if "Table" in one else total


_READS = frozenset({"BatchGetItem", "GetItem", "Query", "Scan"})

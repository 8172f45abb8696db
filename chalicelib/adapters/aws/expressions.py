"""One UpdateItem in the making: its placeholders, what it sets, what must hold, and DynamoDB's limits on all that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters.aws.addresses import Item
from chalicelib.errors import StoreError

MOST_BYTES = 4096
"""Of an expression's text (DynamoDB developer guide, service quotas, "Expression parameters")."""

MOST_OPERATORS = 300
"""In an expression (the same page)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A named part of what must hold for a write; `operators` is what it adds to DynamoDB's count."""

    name: str
    text: str
    operators: int


class Expression:
    """Collects an update. Each attribute and each value gets one placeholder, however often it is used."""

    __slots__ = ("_names", "_operators", "_removed", "_sets", "_values", "conditions")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[tuple[str, str], str] = {}
        self._sets: list[str] = []
        self._removed: list[str] = []
        self._operators = 0
        self.conditions: list[Condition] = []

    def name(self, attribute: str) -> str:
        """The placeholder of an attribute: it may be a reserved word, or hold a dot."""
        return self._names.setdefault(attribute, f"#{len(self._names)}")

    def value(self, content: dict[str, Any]) -> str:
        """The placeholder of a value in DynamoDB's JSON."""
        ((kind, inside),) = content.items()
        return self._values.setdefault((kind, inside), f":{len(self._values)}")

    def set(self, attribute: str, content: dict[str, Any]) -> None:
        """The attribute gets this value."""
        self._sets.append(f"{self.name(attribute)}={self.value(content)}")

    def set_first(self, attribute: str, content: dict[str, Any]) -> None:
        """The attribute gets this value unless it has one."""
        name = self.name(attribute)
        self._sets.append(f"{name}=if_not_exists({name},{self.value(content)})")
        self._operators += 1

    def copy(self, attribute: str, source: str, *, is_new: bool) -> None:
        """The attribute gets the number that another one held before this write; 0, where that may be absent."""
        self._sets.append(f"{self.name(attribute)}={self._before(source, is_new=is_new)}")
        self._operators += is_new

    def add_one(self, attribute: str, *, is_new: bool) -> None:
        """The attribute goes up by one; from nothing, where it may be absent."""
        before = self._before(attribute, is_new=is_new)
        self._sets.append(f"{self.name(attribute)}={before}+{self.value({'N': '1'})}")
        self._operators += 2 if is_new else 1

    def _before(self, attribute: str, *, is_new: bool) -> str:
        name = self.name(attribute)
        return f"if_not_exists({name},{self.value({'N': '0'})})" if is_new else name

    def remove(self, attribute: str) -> None:
        """The attribute goes."""
        self._removed.append(self.name(attribute))

    def require(self, say: Callable[["Expression"], Condition]) -> None:
        """This must hold as well."""
        self.conditions.append(say(self))

    def to_payload(self, key: Item, what: str) -> dict[str, Any]:
        """The call's payload; raises StoreError, naming `what`, where it is more than DynamoDB takes."""
        condition = " AND ".join(each.text for each in self.conditions)
        update = f"SET {','.join(self._sets)}"
        if self._removed:
            update += f" REMOVE {','.join(self._removed)}"
        operators = sum(each.operators for each in self.conditions) + len(self.conditions) - 1
        if max(len(condition), len(update)) > MOST_BYTES or max(operators, self._operators) > MOST_OPERATORS:
            raise StoreError(
                f"{what}: too much for one write: {len(condition)} and {len(update)} bytes of expressions, {operators} "
                f"operators; DynamoDB takes {MOST_BYTES} and {MOST_OPERATORS}."
            )
        return {
            "Key": key,
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()},
            "ExpressionAttributeValues": {
                placeholder: {kind: inside} for (kind, inside), placeholder in self._values.items()
            },
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

"""Reads JSON from outside, member by member, and names the member that is wrong.

A `Node` is a value with its path, such as `items.0.quantity`. Every reader raises `BadInputError`,
which the API turns into a 400 and the controls into a 422.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn, TypeVar

Choice = TypeVar("Choice", bound=str)

# Far above any price, far below where a float would lose cents.
LARGEST_AMOUNT = Decimal(1_000_000_000)


class BadInputError(ValueError):
    """A member that cannot be used: `field` is its path ("" is the whole body)."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field or 'the body'}: {message}")


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and where it stands."""

    value: object
    path: str = ""

    def fail(self, message: str) -> NoReturn:
        """Raise `BadInputError` about this value."""
        raise BadInputError(self.path, message)

    def below(self, name: str, value: object) -> Node:
        """Give a value inside this one."""
        return Node(value, f"{self.path}.{name}" if self.path else name)

    def members(self) -> dict[str, Node]:
        """Read an object."""
        if not isinstance(self.value, dict):
            self.fail("must be an object")
        return {name: self.below(name, value) for name, value in self.value.items()}

    def only(self, *names: str) -> None:
        """Refuse members of other names, so that a slip of the pen is seen."""
        for name, node in self.members().items():
            if name not in names:
                node.fail(f"is not known here; known are {', '.join(names)}")

    def get(self, name: str) -> Node | None:
        """Give an optional member; null is the same as absent."""
        node = self.members().get(name)
        return None if node is None or node.value is None else node

    def need(self, name: str) -> Node:
        """Give a member that must be there."""
        node = self.get(name)
        if node is None:
            self.below(name, None).fail("is required")
        return node

    def elements(self) -> list[Node]:
        """Read a list."""
        if not isinstance(self.value, list):
            self.fail("must be a list")
        return [self.below(str(n), value) for n, value in enumerate(self.value)]

    def text(self, *, empty: bool = False) -> str:
        """Read a string, by default one that is not empty."""
        if not isinstance(self.value, str):
            self.fail("must be a string")
        if not self.value and not empty:
            self.fail("must not be empty")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """Read a list of strings that are not empty."""
        return tuple(node.text() for node in self.elements())

    def pairs(self) -> dict[str, str]:
        """Read an object whose values are strings."""
        return {name: node.text(empty=True) for name, node in self.members().items()}

    def flag(self) -> bool:
        """Read true or false."""
        if not isinstance(self.value, bool):
            self.fail("must be true or false")
        return self.value

    def whole(self, low: int, high: int = 1_000_000_000) -> int:
        """Read a whole number between two bounds."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.fail("must be a whole number")
        if not low <= self.value <= high:
            self.fail(f"must be between {low} and {high}")
        return self.value

    def number(self) -> Decimal:
        """Read a number, exactly as it is written."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | Decimal):
            self.fail("must be a number")
        return Decimal(self.value)

    def amount(self) -> Decimal:
        """Read an amount of money: not negative, four decimals at most."""
        number = self.number()
        if not 0 <= number <= LARGEST_AMOUNT or number != round(number, 4):
            self.fail("must be an amount of zero or more with at most four decimals")
        return number

    def seconds(self, high: float) -> float:
        """Read a span of time."""
        number = float(self.number())
        if not 0 <= number <= high:
            self.fail(f"must be between 0 and {high:g} seconds")
        return number

    def choice(self, options: tuple[Choice, ...]) -> Choice:
        """Read one of a few words."""
        matching = [option for option in options if option == self.value]
        if not matching:
            self.fail(f"must be one of {', '.join(options)}")
        return matching[0]


def read_json(raw: bytes) -> Node:
    """Parse a body; numbers with a point become `Decimal`. Raises `BadInputError`."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    try:
        return Node(json.loads(raw, parse_float=Decimal, parse_constant=refuse))
    except (ValueError, RecursionError) as error:  # deep nesting breaks the parser, not us
        raise BadInputError("", "is no JSON") from error

"""Reads JSON member by member. An error names the wrong member.

A `Node` is a value with its path, such as `items.0.quantity`. Every reader raises `BadInputError`.
The API answers it with a 400, the control endpoints with a 422.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn, TypeVar

Choice = TypeVar("Choice", bound=str)

# Above any price, and below the amounts at which a float loses cents.
LARGEST_AMOUNT = Decimal(1_000_000_000)


class BadInputError(ValueError):
    """An invalid member. `field` is its path, or "" for the whole body."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field or 'the body'}: {message}")


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and its path."""

    value: object
    path: str = ""

    def fail(self, message: str) -> NoReturn:
        """Raise `BadInputError` about this value."""
        raise BadInputError(self.path, message)

    def below(self, name: str, value: object) -> Node:
        """Return a value inside this one."""
        return Node(value, f"{self.path}.{name}" if self.path else name)

    def members(self) -> dict[str, Node]:
        """Read an object."""
        if not isinstance(self.value, dict):
            self.fail("must be an object")
        return {name: self.below(name, value) for name, value in self.value.items()}

    def only(self, *names: str) -> None:
        """Reject members with other names, such as misspelled ones."""
        for name, node in self.members().items():
            if name not in names:
                node.fail(f"is unknown; the known members are {', '.join(names)}")

    def get(self, name: str) -> Node | None:
        """Return an optional member. Null counts as absent."""
        node = self.members().get(name)
        return None if node is None or node.value is None else node

    def need(self, name: str) -> Node:
        """Return a required member."""
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
        """Read a string. It must not be empty unless `empty` is true."""
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
        """Read an amount of money: not negative, at most four decimals."""
        number = self.number()
        if not 0 <= number <= LARGEST_AMOUNT or number != round(number, 4):
            self.fail("must be an amount of zero or more with at most four decimals")
        return number

    def seconds(self, high: float) -> float:
        """Read a number of seconds."""
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
    """Parse a body. Numbers with a point become `Decimal`.

    Raises:
        BadInputError: The body is not JSON.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        return Node(json.loads(raw, parse_float=Decimal, parse_constant=refuse))
    except (ValueError, RecursionError) as error:  # RecursionError: the JSON is nested too deeply
        raise BadInputError("", "is not JSON") from error

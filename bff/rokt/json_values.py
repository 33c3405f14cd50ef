"""Reads JSON of which nothing is certain, such as the body of a response. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# No documented body is nested as deeply. It keeps the recursion bounded.
MAX_DEPTH = 32


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the JSON objects in a list; nothing if the value is not a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def member(body: Any, name: str) -> Any:
    """Return a member of a JSON object; None if the value is not an object or lacks it."""
    return body.get(name) if isinstance(body, Mapping) else None


def leaves(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yield every value that is neither an object nor a list, to a bounded depth."""
    if not isinstance(value, Mapping | list | tuple):
        yield value
    elif depth < MAX_DEPTH:
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(inner, depth + 1)


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, to a bounded depth."""
    return (leaf for leaf in leaves(value) if isinstance(leaf, str))


def error_texts(body: Any) -> list[str]:
    """Return code and message of each error as one text; without errors, the description."""
    errors = [[e.get("code"), e.get("message")] for e in objects(member(body, "errors"))]
    return [" ".join(texts(one)) for one in errors or [[member(body, "description")]]]

"""Reads a request's body: its size first, then its JSON, with one clear error for each fault."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from bff.errors import BodyTooLarge, MalformedBody

# The SDK's messages and Rokt's are nested four or five deep; what reads and writes JSON goes a
# call deeper for each.
MAX_DEPTH = 32


def read_json(request: Request, most: int) -> Any:
    """Return the JSON of the body, ``{}`` for an empty one.

    Raises ``BodyTooLarge`` beyond ``most`` bytes and ``MalformedBody`` for what is no JSON or is
    nested too deep.
    """
    if (request.content_length or 0) > most:
        raise _too_large(most)
    # One more: of a body of unknown length werkzeug reads up to the limit and says nothing.
    request.max_content_length = most + 1
    try:
        # cache=False: a host app's hooks shall not find half of it parsed.
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _too_large(most) from None
    except ClientDisconnected:
        raise MalformedBody("The body ended early.") from None
    if len(body) > most:
        raise _too_large(most)
    if not body.strip():
        return {}
    try:
        data = json.loads(body, parse_constant=_refuse, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        # ValueError has bad UTF-8 and numbers of thousands of digits in it too.
        raise MalformedBody("The body is no JSON.", errors={"body": ["is no JSON"]}) from None
    if not isinstance(data, dict):
        raise MalformedBody(
            "The body must be a JSON object.", errors={"body": ["must be a JSON object"]}
        )
    if _is_deeper(data, MAX_DEPTH):
        text = f"is nested deeper than {MAX_DEPTH}"
        raise MalformedBody(f"The body {text}.", errors={"body": [text]})
    return data


def _is_deeper(data: Any, most: int) -> bool:
    """Tell whether objects and lists stand in each other more than ``most`` deep."""
    level = [data]
    for _ in range(most):
        level = [
            one
            for outer in level
            for one in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(one, dict | list)
        ]
    return bool(level)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; of two members of one name nobody could say which one was meant."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body may have {most} bytes.", errors={"body": [f"is larger than {most} bytes"]}
    )

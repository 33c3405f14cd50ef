"""Reads a request's body as JSON, with limits on its size and depth."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from bff.errors import BodyTooLarge, MalformedBody

# The messages of the SDK and of Rokt are nested four or five deep. Python's JSON reader and writer
# call themselves once for each level.
MAX_DEPTH = 32


def read_json(request: Request, most: int) -> Any:
    """Return the JSON object of the body, ``{}`` for an empty body.

    Args:
        request: The request whose body is read.
        most: The largest number of bytes.

    Raises:
        BodyTooLarge: The body is larger than ``most``.
        MalformedBody: The body is not a JSON object, or is nested too deep.
    """
    if (request.content_length or 0) > most:
        raise _too_large(most)
    # One byte more than the limit: werkzeug cuts a body of unknown length without an error.
    request.max_content_length = most + 1
    try:
        # cache=False: a host app's hooks must not find a body that is partly parsed.
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
        # ValueError also covers invalid UTF-8 and numbers of thousands of digits.
        raise _malformed("is not JSON") from None
    if not isinstance(data, dict):
        raise _malformed("must be a JSON object")
    if _is_deeper(data, MAX_DEPTH):
        raise _malformed(f"is nested deeper than {MAX_DEPTH} levels")
    return data


def _is_deeper(data: Any, most: int) -> bool:
    """Tell whether objects and lists are nested more than ``most`` deep."""
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
    """Make an object. Two members of the same name are ambiguous, so they are refused."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("two members have the same name")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _malformed(text: str) -> MalformedBody:
    return MalformedBody(f"The body {text}.", errors={"body": [text]})


def _too_large(most: int) -> BodyTooLarge:
    text = f"is larger than {most} bytes"
    return BodyTooLarge(f"The body {text}.", errors={"body": [text]})

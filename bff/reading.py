"""Reads a request's body: its size first, then its JSON, with one clear error for each fault."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from bff.errors import BodyTooLarge, MalformedBody


def read_json(request: Request, most: int) -> Any:
    """Return the JSON of the body, ``{}`` for an empty one.

    Raises ``BodyTooLarge`` beyond ``most`` bytes and ``MalformedBody`` for what is no JSON.
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
    return data


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

"""What became of a call to Rokt: four outcomes, and the reading of an HTTP answer as one. Pure.

Done      Rokt did it (2xx, also with an empty body)
Refused   Rokt will not do it (4xx other than 408 and 429, and redirects, which are not followed)
NotSent   Rokt surely did not act: no connection was made, or a 429 turned the call away
Unknown   Rokt may have acted: a time limit, a broken connection, 5xx, 408, a 2xx cut short
          or with documented members of wrong types,
          or a 1xx, which is the first part of an answer that was not waited for

Only the last two may be tried again. Source: cart-api notes ("common to every call") and the
retry rule of Rokt's own mobile SDK.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from bff.rokt.redaction import is_code

# What is asked for is obeyed: up to the deadline of what is owed (``bff.outbox``). This bound
# only keeps a number without end within what a date can hold.
MAX_RETRY_AFTER = 366 * 24 * 3600.0


# Of a 200 that says it failed: reasons that read as temporary (the mobile SDK's own rule).
_TEMPORARY = ("timeout", "timed out", "unavailable", "throttl", "try again")


# What a repeated call may be told was done before, by the stems of the words for it.
_DONE_BEFORE = {
    "cancelled": re.compile("cancel|refund|void", re.IGNORECASE),
    "confirmed": re.compile("confirm|purchas|complet|process|fulfil", re.IGNORECASE),
}


_OTHERWISE = re.compile("releas|expir|laps|other|different|fail|reject", re.IGNORECASE)


# Errors nested deeper than this are nobody's honest answer.
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Done:
    """Rokt did it. ``answer`` is the JSON of the body, None when that was empty."""

    status: int
    answer: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Rokt will not. ``named`` has every text in the errors' ``value``: ids of items, say.

    ``already``: what the errors say was done before, if that. ``detail`` is ours, made of status
    and codes alone: Rokt's text may repeat what we sent. A code that does is left out.
    """

    status: int
    detail: str
    codes: tuple[str, ...] = field(default=(), repr=False)
    named: frozenset[str] = field(default=frozenset(), repr=False)
    already: str | None = None
    answer: Any = field(default=None, repr=False)


class Cause(StrEnum):
    """Why a call has no response that says *done* or *refused*. Code decides by it, not by text.

    Attributes:
        BUSY: Every slot for calls to Rokt is taken.
        NO_TIME: Too little of the time limit is left to send the call.
        OWN_ERROR: Our code or our database failed.
        RATE_LIMITED: Rokt answered 429.
        SERVER_ERROR: Rokt answered 408, 5xx or 1xx, or that it failed for the moment.
        TIMEOUT: The request was sent; no whole response came within the time limit.
        BROKEN: The request was sent; the connection broke.
        UNREACHABLE: No connection could be made.
        UNREADABLE: The response is too large, cut short, or not the documented JSON.
    """

    BUSY = "busy"
    NO_TIME = "no_time"
    OWN_ERROR = "own_error"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class NotSent:
    """Rokt surely did not act.

    Attributes:
        cause: Why; code decides by this.
        detail: The same for people.
        status: The status of Rokt's response, if there was one.
        retry_after: The seconds that Rokt asked us to wait.
    """

    cause: Cause
    detail: str
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Rokt may have acted or not. The attributes are those of ``NotSent``."""

    cause: Cause
    detail: str
    status: int | None = None
    retry_after: float | None = None


Outcome = Done | Refused | NotSent | Unknown


def read_response(
    status: int,
    body: bytes,
    *,
    retry_after: str | None = None,
    now: datetime,
    private: Collection[str] = (),
) -> Outcome:
    """Read a complete HTTP answer. ``private``: what was sent and must not be told again."""
    wait = read_retry_after(retry_after, now)
    if status == 429:
        return NotSent(Cause.RATE_LIMITED, "Rokt turned the call away (429)", status, wait)
    if status == 408 or status < 200 or status >= 500:
        return Unknown(Cause.SERVER_ERROR, f"Rokt answered {status}", status, wait)
    answer = _parse(body)
    if 200 <= status < 300:
        if not body.strip():
            return Done(status)
        if answer is _NO_JSON:
            detail = f"Rokt answered {status} with a body that is not JSON"
            return Unknown(Cause.UNREADABLE, detail, status)
        return _done(status, answer)
    return _refused(status, None if answer is _NO_JSON else answer, private)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header: seconds or an HTTP date. None when there is no good one."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, OverflowError):  # digits without end overflow the standard parser
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds()
    if seconds != seconds:  # NaN
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


_NO_JSON = object()


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_JSON


def _done(status: int, answer: Any) -> Outcome:
    if _contradicts_itself(answer):
        return Unknown(Cause.UNREADABLE, f"Rokt answered {status} with wrong types", status)
    if not isinstance(answer, dict) or answer.get("success") is not False:
        return Done(status, answer)
    words = " ".join(texts(answer)).lower()
    if any(word in words for word in _TEMPORARY):
        detail = "Rokt answered that it failed for the moment"
        return Unknown(Cause.SERVER_ERROR, detail, status)
    return Refused(status, "Rokt answered that it failed", answer=answer)


def _contradicts_itself(answer: Any) -> bool:
    """Tell whether documented members have types that they cannot have.

    Whoever says ``items`` and means no list has not understood the call, whatever its status.
    """
    if not isinstance(answer, dict):
        return False
    ids = (answer.get("cartId"), answer.get("orderId"))
    items = answer.get("items")
    return not (items is None or isinstance(items, list)) or any(
        isinstance(one, dict | list | bool) for one in ids
    )


def _refused(status: int, answer: Any, private: Collection[str]) -> Refused:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    errors = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    codes = tuple(
        code for e in errors if isinstance(code := e.get("code"), str) and is_code(code, private)
    )
    named = frozenset(text for e in errors for text in texts(e.get("value")))
    detail = f"Rokt refused ({status}{': ' + ', '.join(codes) if codes else ''})"
    return Refused(status, detail, codes, named, _already(errors, answer), answer)


def _already(errors: list[dict[str, Any]], answer: Any) -> str | None:
    """Tell what *all* errors say was done before: ``confirmed``, ``cancelled``, or None.

    "Already" alone is no proof: a reservation may already be released, or already be another
    order's. The codes are not documented, so code and text are read together, by their stems.
    """
    told = [[e.get("code"), e.get("message")] for e in errors]
    if not told and isinstance(answer, dict):
        told = [[answer.get("description")]]
    said = {_done_before(" ".join(texts(one))) for one in told}
    return said.pop() if len(said) == 1 else None


def _done_before(words: str) -> str | None:
    if not re.search("already", words, re.IGNORECASE) or _OTHERWISE.search(words):
        return None
    return next((what for what, stem in _DONE_BEFORE.items() if stem.search(words)), None)


def texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield every text in a JSON value, to a bounded depth."""
    if isinstance(value, str):
        yield value
    elif depth < _MAX_DEPTH and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner, depth + 1)

"""The outcome of a call to Rokt: one of four, read from the HTTP response. Pure.

Done      Rokt did it: 2xx, also with an empty body.
Refused   Rokt will not do it: 4xx other than 408 and 429, and redirects, which are not followed.
NotSent   Rokt surely did not act: no connection was made, or a 429 turned the call away.
Unknown   Rokt may have acted: a time limit, a broken connection, 5xx, 408, 1xx, a 2xx cut short
          or with documented members of wrong types.

Only the last two may be sent again. Source: Rokt's reference ("common to every call") and the
retry rule of Rokt's own mobile SDK.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from bff.rokt.json_values import error_texts, member, objects, texts
from bff.rokt.redaction import is_code

# A date can hold this much. How long is really waited is for ``bff.outbox`` to bound.
MAX_RETRY_AFTER = 366 * 24 * 3600.0

# These statuses say that the key, the tag or the address is wrong, and nothing about an item.
_SETUP_STATUSES = frozenset({401, 403, 404, 405, 407})

# Texts of a 200 that says it failed, which mean a temporary failure (the mobile SDK's own rule).
_TEMPORARY = ("timeout", "timed out", "unavailable", "throttl", "try again")

# What an "already" error says was done before, by the stems of the words for it.
_DONE_BEFORE = {
    "cancelled": re.compile("cancel|refund|void", re.IGNORECASE),
    "confirmed": re.compile("confirm|purchas|complet|process|fulfil", re.IGNORECASE),
}

_OTHERWISE = re.compile("releas|expir|laps|other|different|fail|reject", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Done:
    """Rokt did it. ``body`` is the JSON of the response's body, None if that was empty."""

    status: int
    body: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Rokt will not do it.

    Attributes:
        status: The status of the response.
        detail: The reason for people, made of status and codes: Rokt's text may repeat a request.
        codes: The codes of the errors, without those that may repeat a request.
        named: Every text in the errors' ``value``, such as the ids of items.
        already: ``confirmed`` or ``cancelled``, if every error says that this was done before.
        body: The JSON of the body, if it has any.
    """

    status: int
    detail: str
    codes: tuple[str, ...] = field(default=(), repr=False)
    named: frozenset[str] = field(default=frozenset(), repr=False)
    already: str | None = None
    body: Any = field(default=None, repr=False)

    @property
    def is_about_setup(self) -> bool:
        """Whether the key, the tag or the address is wrong, so that no item is refused."""
        return self.status in _SETUP_STATUSES or 300 <= self.status < 400


class Cause(StrEnum):
    """Why a call is neither *done* nor *refused*. Code decides by it, never by a detail's text."""

    BUSY = "busy"  # every slot for calls to Rokt is taken
    NO_TIME = "no_time"  # too little of the time limit is left to send the call
    OWN_ERROR = "own_error"  # our code or our database failed
    RATE_LIMITED = "rate_limited"  # Rokt answered 429
    SERVER_ERROR = "server_error"  # 408, 5xx, 1xx, or a temporary failure in a 200
    UNREACHABLE = "unreachable"  # no connection could be made
    TIMEOUT = "timeout"  # sent; no whole response within the time limit
    BROKEN = "broken"  # sent; the connection broke
    UNREADABLE = "unreadable"  # the response is too large, cut short, or has an unknown form


@dataclass(frozen=True, slots=True)
class NotSent:
    """Rokt surely did not act. ``detail`` is the cause in words, for people.

    ``status`` is that of a response, ``retry_after`` the seconds that it asks to wait.
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
    """Read a complete HTTP response. ``private``: texts that no detail may repeat."""
    wait = read_retry_after(retry_after, now)
    if status == 429:
        return NotSent(Cause.RATE_LIMITED, "Rokt turned the call away (429)", status, wait)
    if status == 408 or status < 200 or status >= 500:
        return Unknown(Cause.SERVER_ERROR, f"Rokt answered {status}", status, wait)
    parsed = _parse(body)
    if status >= 300:
        return _refused(status, None if parsed is _NOT_JSON else parsed, private)
    if not body.strip():
        return Done(status)
    if parsed is _NOT_JSON:
        detail = f"Rokt answered {status} with a body that is not JSON"
        return Unknown(Cause.UNREADABLE, detail, status)
    return _done(status, parsed)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds of a ``Retry-After`` header: a number, or an HTTP date less ``now``.

    Returns:
        The seconds to wait; None if the header is missing or invalid.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, OverflowError):  # endless digits overflow the standard parser
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds()
    if seconds != seconds:  # NaN
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


_NOT_JSON = object()


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _done(status: int, body: Any) -> Outcome:
    if _has_wrong_types(body):
        return Unknown(Cause.UNREADABLE, f"Rokt answered {status} with wrong types", status)
    if member(body, "success") is not False:
        return Done(status, body)
    words = " ".join(texts(body)).lower()
    if any(word in words for word in _TEMPORARY):
        detail = "Rokt answered that it failed for the moment"
        return Unknown(Cause.SERVER_ERROR, detail, status)
    return Refused(status, "Rokt answered that it failed", body=body)


def _has_wrong_types(body: Any) -> bool:
    """Tell whether documented members have impossible types, as from a server that is not Rokt."""
    ids = (member(body, "cartId"), member(body, "orderId"))
    return not isinstance(member(body, "items"), list | None) or any(
        isinstance(one, dict | list | bool) for one in ids
    )


def _refused(status: int, body: Any, private: Collection[str]) -> Refused:
    errors = objects(member(body, "errors"))
    codes = tuple(
        code for e in errors if isinstance(code := e.get("code"), str) and is_code(code, private)
    )
    named = frozenset(texts([e.get("value") for e in errors]))
    detail = f"Rokt refused ({status}{': ' + ', '.join(codes) if codes else ''})"
    return Refused(status, detail, codes, named, _already(body), body)


def _already(body: Any) -> str | None:
    """Return what *all* errors say was done before: ``confirmed``, ``cancelled``, or None.

    "Already" alone proves nothing: a reservation may already be released, or already belong to
    another order. The codes are not documented, so code and message are read together.
    """
    found = {_done_before(words) for words in error_texts(body)}
    return found.pop() if len(found) == 1 else None


def _done_before(words: str) -> str | None:
    if not re.search("already", words, re.IGNORECASE) or _OTHERWISE.search(words):
        return None
    return next((what for what, stem in _DONE_BEFORE.items() if stem.search(words)), None)

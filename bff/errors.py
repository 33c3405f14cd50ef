"""The exceptions of rokt-bff. Each has the code, the status and the texts that a caller needs.

::

    BffError                     code, status, retryable, errors, retry_after
    ├── ConfigError              the start fails; it has every problem of the settings
    ├── InvalidInput             422  a field is wrong; ``errors`` names it
    │   ├── MalformedBody        400  the body is not a JSON object
    │   ├── UnsupportedMedia     415  the body is not ``application/json``
    │   └── BodyTooLarge         413  the body is too large
    ├── Unauthorized             401  the handle or the key is missing, unknown or expired
    ├── Forbidden                403  the caller may not do this, whatever the handle
    ├── NotFound                 404  it does not exist
    ├── Conflict                 409  the state does not allow it
    ├── RateLimited              429  too many requests; ``retry_after`` says how long to wait
    └── StoreUnavailable         503  the database is locked, full or unreachable
        ├── SchemaMismatch       the database's tables have another version
        └── SessionMoved         the request has the handle from before a login

A class has a general code; a ``Code`` is more specific. A response of Rokt is not an exception but
an *outcome* (``bff.rokt.outcomes``), because every outcome must be handled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Self

# An error's text names no more fields than this; ``errors`` has them all.
MOST_NAMED = 5


class Code(StrEnum):
    """Codes that are more specific than the class of their error."""

    BRIDGE_HEADER = "bridge_header"
    BROWSER_REFUSED = "browser_refused"
    CLOSED = "closed"
    FOREIGN_HOST = "foreign_host"
    FOREIGN_ORDER = "foreign_order"
    FOREIGN_ORIGIN = "foreign_origin"
    ITEM_NOT_FOUND = "item_not_found"
    NOT_CANCELLABLE = "not_cancellable"
    OTHER_QUOTE = "other_quote"
    QUOTE_NOT_FOUND = "quote_not_found"
    SERVER_CALLS_OFF = "server_calls_off"
    SERVER_KEY = "server_key"
    UNKNOWN_PAYER = "unknown_payer"


class BffError(Exception):
    """Base of all errors of this package. ``str(error)`` is for people and holds no secret.

    Attributes:
        code: A stable word for programs.
        status: The HTTP status.
        retryable: Whether the same request may succeed later.
        detail: The text for people.
        errors: Messages by the path of a field, such as ``updatedItem.quantity``.
        retry_after: The seconds to wait before a retry, if known.
    """

    code: str = "error"
    status = 500
    retryable = False

    def __init__(
        self,
        detail: str,
        *,
        errors: Mapping[str, Sequence[str]] | None = None,
        code: Code | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors: dict[str, list[str]] = {k: list(v) for k, v in (errors or {}).items()}
        self.retry_after = retry_after
        if code is not None:
            self.code = code.value

    @classmethod
    def of_http(cls, status: int, name: str, detail: str) -> Self:
        """Make an error of an HTTP status.

        Args:
            status: The status, such as 404.
            name: Its name, such as ``Not Found``. The error's code is made of it.
            detail: The text for people.

        Returns:
            The error.
        """
        error = cls(detail)
        error.code = name.lower().replace(" ", "_")
        error.status = status
        return error


class ConfigError(BffError):
    """Settings are missing, invalid or insecure.

    Attributes:
        problems: A sentence for each, with its cure.
    """

    code = "configuration"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"rokt-bff cannot start:\n{lines}")


class InvalidInput(BffError):
    """A field of the input is wrong. ``errors`` names each wrong field."""

    code = "invalid_input"
    status = 422

    @classmethod
    def of_fields(cls, errors: Mapping[str, list[str]]) -> Self:
        """Make the error for wrong fields.

        Args:
            errors: Messages by the field's path, such as ``updatedItem.quantity``.

        Returns:
            The error. Its text names the first ``MOST_NAMED`` fields.
        """
        named = [f"{name}: {errors[name][0].rstrip('.')}" for name in sorted(errors)]
        more = len(named) - MOST_NAMED
        rest = f"; and {more} more" if more > 0 else ""
        return cls(f"Wrong: {'; '.join(named[:MOST_NAMED])}{rest}.", errors=errors)


class MalformedBody(InvalidInput):
    """The body is not a JSON object."""

    code = "malformed_body"
    status = 400


class UnsupportedMedia(InvalidInput):
    """The body's ``Content-Type`` is not ``application/json``."""

    code = "unsupported_media_type"
    status = 415


class BodyTooLarge(InvalidInput):
    """The body is larger than ``ROKT_BFF_MAX_BODY_BYTES``."""

    code = "body_too_large"
    status = 413


class Unauthorized(BffError):
    """The handle or the key is missing, unknown or expired."""

    code = "unauthorized"
    status = 401


class Forbidden(BffError):
    """The caller may not do this, whatever handle or key it has."""

    code = "forbidden"
    status = 403


class NotFound(BffError):
    """It does not exist, or not for this caller."""

    code = "not_found"
    status = 404


class Conflict(BffError):
    """The state does not allow it, such as a second cancel."""

    code = "conflict"
    status = 409


class RateLimited(BffError):
    """Too many requests; ``retry_after`` has the seconds to wait."""

    code = "rate_limited"
    status = 429
    retryable = True


class StoreUnavailable(BffError):
    """The database is unreachable, locked for too long, or full."""

    code = "store_unavailable"
    status = 503
    retryable = True


class SchemaMismatch(StoreUnavailable):
    """The database's tables are missing or have another version. The text names the cure."""

    code = "schema_mismatch"
    retryable = False


class SessionMoved(StoreUnavailable):
    """The request was sent before a login gave the session another handle. It may be sent again.

    Nothing was done. The response sets no cookie, because the browser has the login's by then.
    """

    code = "session_moved"


def codes() -> frozenset[str]:
    """Return every code of ours that a response over HTTP can have."""
    return frozenset(one.code for one in _kinds(BffError) if one is not ConfigError) | {*Code}


def _kinds(kind: type[BffError]) -> Iterator[type[BffError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)

"""The headers of a call to Rokt. Source: the reference of each call.

The transport adds ``Accept-Encoding``, because it reads no packed body.
"""

from __future__ import annotations

from bff.config.settings import Settings
from bff.rokt.calls import Call, Kind


def request_headers(call: Call, settings: Settings) -> dict[str, str]:
    """Return all headers of a request: the key, the tag, and those of the call's own session."""
    headers = {
        "rokt-api-key": settings.api_key,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "rokt-bff",
        **call.headers,
    }
    if call.kind is not Kind.CANCEL:  # the only call that is documented without it
        headers["rokt-tag-id"] = settings.tag_id
    return headers

"""The partner's client of the BFF's HTTP API, on ``urllib`` alone.

With the shopper's handle it reads what may be charged. With the server key it records what was
paid. Both are JSON over HTTP, so any language can do the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

# Longer than the slowest response of the BFF: 6 s for a reserve, 8 s for a confirm.
_TIMEOUT = 12.0
_MAX_BYTES = 1024 * 1024

Json = Mapping[str, Any]


class Unreachable(Exception):
    """The BFF sent no complete response, or one that says to retry."""


class Refused(Exception):
    """The BFF refused for good. ``status`` and ``code`` are those of its problem document."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class Bff:
    """The client of one BFF. Every call raises ``Unreachable`` or ``Refused``.

    Args:
        address: The BFF's address with its prefix.
        server_key: The key for server-to-server calls.
        origin: The origin of the partner's pages. A shopper's handle works with this origin only.
    """

    def __init__(self, address: str, server_key: str, origin: str) -> None:
        self._address = address
        self._key = server_key
        self._origin = origin
        # The BFF is on this machine, so no proxy of the environment applies.
        self._opener = build_opener(ProxyHandler({}))

    def reserve(self, handle: str) -> Json:
        """Return the quote of what may be charged now.

        The page showed the same quote, but a browser's word is not enough for a charge. The BFF
        calls Rokt only if something changed.
        """
        return self._call("POST", "/cart/reserve", handle, {}, {"Origin": self._origin})

    def record(self, handle: str, order_id: str, quote_id: str) -> Json:
        """Record a paid order, so that its extras are confirmed. Safe to repeat."""
        body = {"handle": handle, "orderId": order_id, "quoteId": quote_id}
        return self._call("POST", "/orders", self._key, body)

    def order(self, order_id: str) -> Json:
        """Return an order with the states of its extras."""
        return self._call("GET", f"/orders/{quote(order_id)}", self._key)

    def cancel(self, order_id: str, cart_item_id: str) -> Json:
        """Cancel one extra of an order."""
        body = {"cartItemId": cart_item_id}
        return self._call("POST", f"/orders/{quote(order_id)}/cancel", self._key, body)

    def _call(
        self,
        method: str,
        path: str,
        token: str,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        own = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = Request(  # noqa: S310, the address is the operator's own setting
            self._address + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers=own | dict(headers or {}),
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                found = json.loads(response.read(_MAX_BYTES))
        except HTTPError as error:
            with error:
                raise _error(error.code, error.read(_MAX_BYTES)) from None
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise Unreachable(str(error)) from None
        if not isinstance(found, dict):
            raise Unreachable("the response is not a JSON object")
        return found


def _error(status: int, body: bytes) -> Exception:
    """Return the exception for an error response."""
    if status >= 500 or status in {408, 429}:
        return Unreachable(str(status))
    try:
        code = json.loads(body).get("code", "")
    except (ValueError, AttributeError):
        code = ""
    return Refused(status, str(code))

"""Fills the timeline from the BFF's signals: each cart change and each call to Rokt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from flask import Flask, has_request_context
from flask import request as http_request

from bff import (
    Cart,
    Order,
    Upsells,
    upsell_call_made,
    upsell_cart_changed,
    upsell_confirmed,
    upsell_refund_needed,
)
from bff.demo.shopper import known_shopper
from bff.demo.timeline import captions
from bff.demo.timeline.timeline import Timeline

# One trail for all shoppers of the partner's shop. Their requests carry a handle or the server key,
# and no cookie that could tell them apart.
PARTNER = "partner"
_INSTANT_PURCHASE = "orders.buy"  # the endpoint of the shop that sells on the thanks page

_SPACE = "\N{NO-BREAK SPACE}"  # keeps a number and its unit on one line


class ShopOrder(Protocol):
    """What the timeline reads of a shop's order."""

    @property
    def shopper(self) -> str:
        """The shopper whose order it is."""

    @property
    def created_at(self) -> datetime:
        """When the order was stored."""


class Listener:
    """Receives the signals of one app. Signals hold receivers weakly, so keep a reference.

    Args:
        timeline: Where entries are added.
        upsells: The app's BFF.
        find_order: Finds an order of the shop by its id.
    """

    def __init__(
        self,
        timeline: Timeline,
        upsells: Upsells,
        find_order: Callable[[str], ShopOrder | None],
    ) -> None:
        self._timeline = timeline
        self._upsells = upsells
        self._find_order = find_order

    def connect(self, app: Flask) -> None:
        """Connect to the signals of ``app``."""
        upsell_cart_changed.connect(self.cart_changed, app)
        upsell_call_made.connect(self.call_made, app)
        upsell_confirmed.connect(self.order_settled, app)
        upsell_refund_needed.connect(self.order_settled, app)

    def cart_changed(
        self, _app: Flask, *, session_ref: str, cause: str, cart: Cart, **_more: object
    ) -> None:
        """Add a state of the held cart."""
        shopper = self._shopper(session_ref)
        if shopper is None:
            return
        from_page = cause == "update" and _is_bridge()
        version = f"cart version {cart.version}"
        if cause == "update" and not from_page:
            is_purchase = has_request_context() and http_request.endpoint == _INSTANT_PURCHASE
            cause = captions.INSTANT_PURCHASE if is_purchase else captions.FORM
        self._timeline.add(
            shopper,
            "page" if from_page else "bff",
            "bff",
            "cart/updates" if from_page else version,
            captions.of_cart(cause, cart),
            response=version if from_page else "",
            detail={"cart": self._upsells.to_json(cart)},
        )

    def call_made(
        self,
        _app: Flask,
        *,
        session_ref: str,
        call: str,
        started_at: datetime,
        milliseconds: float,
        attempt: int,
        outcome: str,
        status: int | None,
        request: Mapping[str, Any],
        response: Mapping[str, Any] | None,
        detail: str,
        **_more: object,
    ) -> None:
        """Add a call to Rokt with its duration and response."""
        shopper = self._shopper(session_ref)
        if shopper is None or not (has_request_context() or self._is_of_run(shopper, request)):
            return
        expired = self._expired(shopper, request, started_at) if call == "reserve" else ()
        if expired:
            caption = captions.of_expired(expired)
            self._timeline.add(shopper, "bff", "bff", "hold ran out", caption, at=started_at)
        ended = str(status) if status is not None else "no response"
        again = f" · attempt{_SPACE}{attempt}" if attempt > 1 else ""
        self._timeline.add(
            shopper,
            "bff",
            "rokt",
            call,
            captions.of_call(call, outcome, response),
            response=f"{ended} · {milliseconds:.0f}{_SPACE}ms{again}",
            detail={
                "path": captions.PATH_OF_CALL.get(call, call),
                "request": request,
                "status": status,
                "response": response,
                "outcome": outcome,
                **({"remark": detail} if detail else {}),
            },
            at=started_at,
        )

    def order_settled(self, _app: Flask, *, order: Order, **_more: object) -> None:
        """Add how an order's upsell ended."""
        known = self._find_order(order.order_id)
        if known is not None and known.created_at >= self._timeline.began(known.shopper):
            self._timeline.add(
                known.shopper,
                "bff",
                "bff",
                f"order {order.status}",
                captions.of_order(order),
                detail={"order": self._upsells.to_json(order)},
            )

    def _expired(self, shopper: str, request: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
        """Return the names of items whose reservation expired since this cart's last entry."""
        entries, _last = self._timeline.since(shopper)
        carts = [entry.detail["cart"] for entry in entries if "cart" in entry.detail]
        last = next((x for x in reversed(carts) if x["cartId"] == request["cartId"]), {"items": ()})
        return tuple(
            item["name"]
            for item in last["items"]
            if "reservedUntil" in item and datetime.fromisoformat(item["reservedUntil"]) <= now
        )

    def _is_of_run(self, shopper: str, request: Mapping[str, Any]) -> bool:
        """Tell whether a background call belongs to the trail.

        After "Start over", calls of an earlier order may still come. Their reservations are not
        in the trail.
        """
        named = set(_reservations(request))
        entries, _last = self._timeline.since(shopper)
        shown = (one for entry in entries for one in _reservations(entry.detail))
        return not named or any(one in named for one in shown)

    def _shopper(self, session_ref: str) -> str | None:
        if has_request_context():
            shopper = known_shopper()
            if shopper is not None:
                self._timeline.tie(session_ref, shopper)
            elif _is_bridge() and "Authorization" in http_request.headers:
                self._timeline.tie(session_ref, PARTNER)
        return self._timeline.shopper_of(session_ref)


def _is_bridge() -> bool:
    """Tell whether the request is to the BFF's own endpoints."""
    return has_request_context() and http_request.blueprint == "rokt_bff"


def _reservations(body: object) -> Iterator[str]:
    """Yield every reservation id in a call's request or response."""
    if isinstance(body, Mapping):
        for name, value in body.items():
            if name == "itemReservationId" and isinstance(value, str):
                yield value
            else:
                yield from _reservations(value)
    elif isinstance(body, list | tuple):
        for one in body:
            yield from _reservations(one)

"""Fill the timeline from the BFF's signals: each state of the cart, each call to Rokt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from flask import Flask, has_request_context, session
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
from bff.demo.shop.orders import Orders
from bff.demo.timeline import captions
from bff.demo.timeline.timeline import Timeline

SHOPPER = "shopper"  # the key in Flask's session under which the shop knows its visitor
# The trail of all visitors of the partner's shop, who have no cookie to tell them apart: a handle
# or the server key is sent by nobody else here.
PARTNER = "partner"

_FIXED = "\N{NO-BREAK SPACE}"  # a number stays with its unit where the arrow is short


class Listener:
    """Hears the signals of one app. Blinker holds receivers weakly: keep the object."""

    def __init__(self, timeline: Timeline, upsells: Upsells, orders: Orders) -> None:
        self._timeline = timeline
        self._upsells = upsells
        self._orders = orders

    def connect(self, app: Flask) -> None:
        """Start to hear the signals of ``app``."""
        upsell_cart_changed.connect(self.cart_changed, app)
        upsell_call_made.connect(self.call_made, app)
        upsell_confirmed.connect(self.order_settled, app)
        upsell_refund_needed.connect(self.order_settled, app)

    def cart_changed(
        self, _app: Flask, *, session_ref: str, cause: str, cart: Cart, **_more: object
    ) -> None:
        """Draw a state of the held cart."""
        shopper = self._shopper(session_ref)
        if shopper is None:
            return
        from_page = cause == "update" and _is_bridge()
        version = f"cart version {cart.version}"
        if cause == "update" and not from_page:
            cause = captions.PRESS if _blueprint() == "again" else captions.FORM
        self._timeline.add(
            shopper,
            "page" if from_page else "bff",
            "bff",
            "cart/updates" if from_page else version,
            captions.of_cart(cause, cart),
            answer=version if from_page else "",
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
        answer: Mapping[str, Any] | None,
        detail: str,
        **_more: object,
    ) -> None:
        """Draw a call to Rokt with its time and answer."""
        shopper = self._shopper(session_ref)
        if shopper is None or not (has_request_context() or self._is_of_run(shopper, request)):
            return
        lapsed = self._lapsed(shopper, request, started_at) if call == "reserve" else ()
        if lapsed:
            words = captions.of_lapsed(lapsed)
            self._timeline.add(shopper, "bff", "bff", "hold ran out", words, at=started_at)
        said = str(status) if status is not None else "no answer"
        again = f" · attempt{_FIXED}{attempt}" if attempt > 1 else ""
        self._timeline.add(
            shopper,
            "bff",
            "rokt",
            call,
            captions.of_call(call, outcome, answer),
            answer=f"{said} · {milliseconds:.0f}{_FIXED}ms{again}",
            detail={
                "path": captions.PATH_OF_CALL.get(call, call),
                "request": request,
                "status": status,
                "answer": answer,
                "outcome": outcome,
                **({"remark": detail} if detail else {}),
            },
            at=started_at,
        )

    def order_settled(self, _app: Flask, *, order: Order, **_more: object) -> None:
        """Draw how an order's upsell ended."""
        known = self._orders.find(order.order_id)
        if known is not None and known.created_at >= self._timeline.began(known.shopper):
            self._timeline.add(
                known.shopper,
                "bff",
                "bff",
                f"order {order.status}",
                captions.of_order(order),
                detail={"order": self._upsells.to_json(order)},
            )

    def _lapsed(self, shopper: str, request: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
        """Name what the trail's last state of this call's cart held, and holds no longer."""
        entries, _last = self._timeline.since(shopper)
        carts = [entry.detail["cart"] for entry in entries if "cart" in entry.detail]
        last = next((x for x in reversed(carts) if x["cartId"] == request["cartId"]), {"items": ()})
        return tuple(
            item["name"]
            for item in last["items"]
            if "reservedUntil" in item and datetime.fromisoformat(item["reservedUntil"]) <= now
        )

    def _is_of_run(self, shopper: str, request: Mapping[str, Any]) -> bool:
        """Tell whether a call that nobody waits for belongs to what the trail shows.

        After "Start over" an earlier order may still be owed one; by its reservations it is told
        apart, whatever session it is of.
        """
        named = set(_reservations(request))
        entries, _last = self._timeline.since(shopper)
        shown = (one for entry in entries for one in _reservations(entry.detail))
        return not named or any(one in named for one in shown)

    def _shopper(self, session_ref: str) -> str | None:
        if has_request_context():
            if isinstance(session.get(SHOPPER), str):
                self._timeline.tie(session_ref, session[SHOPPER])
            elif _is_bridge() and "Authorization" in http_request.headers:
                self._timeline.tie(session_ref, PARTNER)
        return self._timeline.shopper_of(session_ref)


def _is_bridge() -> bool:
    """Tell whether the request is one to the BFF's own endpoints."""
    return _blueprint() == "rokt_bff"


def _blueprint() -> str | None:
    return http_request.blueprint if has_request_context() else None


def _reservations(told: object) -> Iterator[str]:
    """Give every reservation id in a call's request or answer."""
    if isinstance(told, Mapping):
        for name, value in told.items():
            if name == "itemReservationId" and isinstance(value, str):
                yield value
            else:
                yield from _reservations(value)
    elif isinstance(told, list | tuple):
        for one in told:
            yield from _reservations(one)

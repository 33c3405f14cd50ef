"""The captions of the timeline: what each step means, for a first-time reader. Pure.

Each function returns a ``Caption``. Source of the seven steps: Rokt's documentation, "Cart API
overview".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bff import Cart, Order

TIMES = "\N{MULTIPLICATION SIGN}"
# Two more causes beside those of ``upsell_cart_changed``: an update by a form of the shop, and one
# by an instant purchase on the thanks page.
FORM = "form"
INSTANT_PURCHASE = "instant purchase"

STEPS: tuple[tuple[int, str, str], ...] = (
    (1, "placements/any", "Before the extras page: is there anything to show?"),
    (2, "Web SDK", "The page's script asks Rokt for offers and draws them."),
    (3, "cart update", "The shopper adds or changes an item. The page sends it to the BFF."),
    (4, "reserve", "Before payment: Rokt reserves stock and locks the price."),
    (5, "confirm", "After payment: the provider fulfills the order."),
    (6, "release", "Not bought after all: the reservation ends early."),
    (7, "cancel", "Bought, but no longer wanted."),
)

STEP_OF_CALL = {"placements/any": 1, "reserve": 4, "confirm": 5, "release": 6, "cancel": 7}

PATH_OF_CALL = {
    "placements/any": "/v1/placements/any",
    "reserve": "/v1/cart/reserve",
    "confirm": "/v1/cart/confirm",
    "release": "/v1/cart/release",
    "cancel": "/v1/confirmation/cancel",
}

SDK_RESPONSES = frozenset({"PLACEMENT_INTERACTIVE", "PLACEMENT_FAILURE"})

SDK_MESSAGES: Mapping[str, str] = {
    "V2_CART_ITEM_UPDATED": "update",
    "UPDATE_CART_ITEM_MESSAGE": "update",
    "PLACEMENT_INTERACTIVE": "The offers are drawn. From now on, messages report what the "
    "shopper does.",
    "PLACEMENT_FAILURE": "The SDK found nothing to draw. The shop goes on without it.",
    "PLACEMENT_CLOSED": "The shopper closed the placement. The cart stays as it is.",
    "PLACEMENT_COMPLETED": "The placement has shown all its offers.",
    "OFFER_ENGAGEMENT": "The shopper answered an offer with yes or no. The SDK counts it. "
    "The cart does not change.",
    "POSITIVE_ENGAGEMENT": "The answer was yes. The change to the cart comes in another message.",
    "CART_ITEM_INSTANT_PURCHASE": "After payment, the shopper bought an offer with one press. "
    "The shop decides whether to charge the card.",
}

BRIDGE_MESSAGES: Mapping[str, str] = {
    "V2_UPDATE_CART_ITEM": "ask",
    "UPSERT_ALERT": "The bridge sends the placement a notice. Rokt's renderer may ignore it, so "
    "the page shows it too.",
    "DELETE_ALERT": "The bridge withdraws its notice.",
    "CART_ITEM_INSTANT_PURCHASE_RESPONSE": "The bridge sends the placement the result of the "
    "purchase.",
}


@dataclass(frozen=True, slots=True)
class Caption:
    """The explanation of an entry.

    Attributes:
        step: The step of Rokt's flow, or None.
        text: One or more sentences.
        tone: ``plain``, ``good``, ``warn`` or ``bad``.
    """

    step: int | None
    text: str
    tone: str = "plain"


def of_sdk(name: str, updated: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> Caption:
    """Explain a message of the Web SDK."""
    meaning = SDK_MESSAGES[name]
    if meaning != "update":
        return Caption(2, meaning, "warn" if name == "PLACEMENT_FAILURE" else "plain")
    quantity = (updated or {}).get("quantity") or 0
    if updated and quantity:
        name = updated.get("name") or "an item"
        if old is None:
            return Caption(3, f"The shopper added {name}. The SDK tells the page.")
        return Caption(
            3, f"The placement now shows {quantity} {TIMES} {name}. The SDK tells the page."
        )
    if updated and not updated.get("catalogItemId") and old is None:
        return Caption(
            3,
            "The bridge asked for an item of an earlier visit. The placement does not have it, "
            "because every visit has new ids. This is not a removal: the cart keeps the item.",
        )
    if updated is None and old is None:
        return Caption(3, "A message without an item. Nothing changes.")
    return Caption(3, "The shopper removed an item. The SDK tells the page.")


def of_bridge(name: str, ask: Mapping[str, Any] | None) -> Caption:
    """Explain a message of the bridge to the placement. ``ask``: item and quantity to show."""
    meaning = BRIDGE_MESSAGES[name]
    if name == "CART_ITEM_INSTANT_PURCHASE_RESPONSE":
        is_bought = (ask or {}).get("success") is True
        reason = (ask or {}).get("reason") or "no reason"
        result = "bought" if is_bought else f"not bought ({reason})"
        return Caption(5 if is_bought else 4, f"{meaning} It was {result}.")
    if meaning != "ask":
        return Caption(3, meaning)
    item, quantity = (ask or {}).get("name") or "an item", (ask or {}).get("quantity") or 0
    shown = f"{quantity} {TIMES} {item}" if quantity else f"no {item}"
    return Caption(3, f"The bridge asks the placement to show {shown}, as the BFF holds it.")


def repeated(text: str) -> str:
    """Add the reason why the same message came again."""
    return (
        f"{text} The SDK sends every change twice ({TIMES}2), under a newer and an older name. It "
        "counts once."
    )


def of_dearer(name: str, before: str, after: str) -> Caption:
    """Explain a price that rose between the page and the reserve."""
    return Caption(
        4,
        f"Rokt locked {after} for {name}. The shopper saw {before}, so it stays out of the total "
        "until they say yes.",
        "warn",
    )


def of_expired(names: Sequence[str]) -> Caption:
    """Explain why items are reserved again."""
    return Caption(
        4,
        f"Rokt's hold on {', '.join(names)} ran out before the payment, so the BFF asks again. "
        "Nothing was charged for the old one.",
        "warn",
    )


def of_cart(cause: str, cart: Cart) -> Caption:
    """Explain a new state of the held cart."""
    holds = _holds(cart)
    if cause == "update":
        return Caption(3, f"The page sends the change. The BFF stores it, then responds. {holds}")
    if cause == "sync":
        return Caption(3, f"The number of tickets changed, and linked items follow. {holds}")
    if cause == FORM:
        return Caption(3, f"A form of the shop removed an item with upsells.remove(). {holds}")
    if cause == INSTANT_PURCHASE:
        return Caption(4, f"An instant purchase has a cart of its own. {holds}")
    if cause == "reserve":
        return _of_reserved(cart)
    if cause == "release":
        return Caption(6, f"The reservation was released. {holds}")
    if cause == "confirm":
        return Caption(
            None, f"The order is stored. A new cart begins, with an id of its own. {holds}"
        )
    return Caption(None, holds)


def of_call(call: str, outcome: str, response: Mapping[str, Any] | None) -> Caption:
    """Explain a call to Rokt by how it ended."""
    step = STEP_OF_CALL.get(call)
    if outcome == "done":
        return Caption(step, _done(call, response), "good")
    if outcome == "refused":
        return Caption(
            step,
            f"Rokt refused. That is final: the call is not sent again.{_after_refusal(call)}",
            "warn",
        )
    if outcome == "not_sent":
        return Caption(step, f"Rokt could not be reached. {_after_failure(call)}", "bad")
    return Caption(
        step, f"No proper response: it may or may not have worked. {_after_failure(call)}", "bad"
    )


def of_order(order: Order) -> Caption:
    """Explain how an order's upsell ended."""
    if not order.items:
        return Caption(None, "No extras in this order, so no call is owed.")
    if order.status == "confirmed":
        return Caption(5, "Every paid item is confirmed. No call is owed.", "good")
    if order.status == "refund_needed":
        return Caption(
            5, "Rokt refused for good. The BFF tells the shop to refund the money.", "bad"
        )
    return Caption(5, f"The order's upsell is {order.status}.")


def of_payment(paid: str, has_extras: bool) -> Caption:
    """Explain what a paid order means for its extras. ``paid`` is the formatted amount."""
    if not has_extras:
        return Caption(None, f"{paid} is paid. No extras in this order.", "good")
    return Caption(None, f"{paid} is paid. Now the extras may be confirmed.", "good")


def of_declined() -> Caption:
    """Explain a declined card."""
    return Caption(None, "Nothing is charged. Rokt still holds the extras.", "warn")


def of_purchase(amount: str, is_paid: bool) -> Caption:
    """Explain whether the shop charged for an instant purchase."""
    if is_paid:
        return Caption(None, f"The shop charges {amount} to the same card, once.", "good")
    return Caption(
        None, "The bank declined another charge, so the reservation is released.", "warn"
    )


def of_consent(name: str, price: str) -> Caption:
    """Explain that the shopper accepted a higher price."""
    return Caption(None, f"The shopper said yes to {name} at {price} each.", "good")


def _of_reserved(cart: Cart) -> Caption:
    def names(status: str, *, dearer: bool = False) -> str:
        chosen = (item for item in cart.items if item.status == status)
        return ", ".join(x.name for x in chosen if (x.reason == "price_changed") is dearer)

    if not cart.items:
        return Caption(4, "The cart holds nothing, so there is nothing to reserve.")
    reserved, rejected, held = names("reserved"), names("rejected"), names("held")
    dearer = names("reserved", dearer=True)
    sentences = []
    if reserved:
        sentences.append(f"Reserved: {reserved}.")
    elif not dearer:
        sentences.append("Nothing could be reserved.")
    if dearer:
        sentences.append(f"Held at a higher price, and not in the total yet: {dearer}.")
    if rejected:
        sentences.append(f"Not available: {rejected}. The shopper is told.")
    if held and reserved:
        sentences.append(f"Not reserved: {held}.")
    if reserved:
        sentences.append("The hold ends at the time that Rokt gave.")
    return Caption(4, " ".join(sentences), "warn" if rejected or held or dearer else "good")


def _after_refusal(call: str) -> str:
    return {
        "confirm": " The shop has to refund what was paid for it.",
        "cancel": " The booking stands, and nothing is refunded.",
    }.get(call, "")


def _done(call: str, response: Mapping[str, Any] | None) -> str:
    if call == "placements/any":
        if response is not None and response.get("result") is False:
            return "Rokt has nothing to show, so the shop skips the extras page."
        return "Rokt has something to show, so the shop opens the extras page."
    return {
        "reserve": "Rokt responds item by item. The reserved items have locked prices. The prices "
        "from the browser no longer count.",
        "confirm": "The shop says that the order is paid. Rokt tells the provider to fulfill it.",
        "release": "Rokt can sell the stock to somebody else.",
        "cancel": "The provider agreed. The shop can refund the money.",
    }.get(call, "Done.")


def _after_failure(call: str) -> str:
    return {
        "placements/any": "The shop does not wait. It skips the extras.",
        "reserve": "The checkout goes on without the extras.",
        "confirm": "The order is paid, so the call is owed. The same bytes are sent again until "
        "Rokt responds.",
        "release": "The BFF tries again. The reservation also expires by itself.",
        "cancel": "The call is owed, so the BFF tries again.",
    }.get(call, "")


def _holds(cart: Cart) -> str:
    if not cart.items:
        return "It holds nothing."
    lines = ", ".join(f"{item.quantity} {TIMES} {item.name}" for item in cart.items)
    return f"It holds {lines}."

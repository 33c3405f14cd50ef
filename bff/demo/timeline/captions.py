"""The words of the timeline: what a step means, for somebody who sees it for the first time. Pure.

Each function gives a ``Words``: the step of Rokt's flow that it belongs to, a sentence, and
whether it went well. Source of the seven steps: Rokt's documentation, "Cart API overview".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bff import Cart, Order

TIMES = "\N{MULTIPLICATION SIGN}"
# Beside the causes of ``upsell_cart_changed``: an update that no bridge sent, and one of a press
# on the thanks page.
FORM = "form"
PRESS = "press"

STEPS: tuple[tuple[int, str, str], ...] = (
    (1, "placements/any", "Before the extras page: is there anything to show?"),
    (2, "Web SDK", "The page's script asks Rokt for offers and draws them."),
    (3, "cart update", "The shopper adds or changes an item: the page tells the BFF."),
    (4, "reserve", "Before payment: Rokt holds stock and locks the price."),
    (5, "confirm", "After payment: the provider fulfills what was bought."),
    (6, "release", "Not bought after all: the hold is given back early."),
    (7, "cancel", "Bought, but not wanted any more."),
)

STEP_OF_CALL = {"placements/any": 1, "reserve": 4, "confirm": 5, "release": 6, "cancel": 7}

PATH_OF_CALL = {
    "placements/any": "/v1/placements/any",
    "reserve": "/v1/cart/reserve",
    "confirm": "/v1/cart/confirm",
    "release": "/v1/cart/release",
    "cancel": "/v1/confirmation/cancel",
}

ANSWERS_OF_SDK = frozenset({"PLACEMENT_INTERACTIVE", "PLACEMENT_FAILURE"})

SDK_MESSAGES: Mapping[str, str] = {
    "V2_CART_ITEM_UPDATED": "update",
    "UPDATE_CART_ITEM_MESSAGE": "update",
    "PLACEMENT_INTERACTIVE": "The offers are drawn. From now on a message is the shopper's doing.",
    "PLACEMENT_FAILURE": "The SDK found nothing to draw. The shop goes on without it.",
    "PLACEMENT_CLOSED": "The shopper closed the placement. What is in the cart stays there.",
    "PLACEMENT_COMPLETED": "The placement has shown all it has.",
    "OFFER_ENGAGEMENT": "The shopper answered an offer, with yes or no. The SDK counts that; it "
    "changes no cart.",
    "POSITIVE_ENGAGEMENT": "The answer was yes. What it changes in the cart comes in a message of "
    "its own.",
    "CART_ITEM_INSTANT_PURCHASE": "After payment, the shopper bought an offer with one press. "
    "Whether it can be charged, the shop decides.",
}

BRIDGE_MESSAGES: Mapping[str, str] = {
    "V2_UPDATE_CART_ITEM": "ask",
    "UPSERT_ALERT": "The bridge hands the placement a notice. Rokt's renderer may ignore it, so "
    "the page tells the shopper itself.",
    "DELETE_ALERT": "The bridge takes its notice back.",
    "CART_ITEM_INSTANT_PURCHASE_RESPONSE": "The bridge tells the placement what the shop made of "
    "the purchase.",
}


@dataclass(frozen=True, slots=True)
class Words:
    """A caption. ``tone``: plain, good, warn or bad."""

    step: int | None
    caption: str
    tone: str = "plain"


def of_sdk(name: str, updated: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> Words:
    """Explain a message of the Web SDK."""
    meaning = SDK_MESSAGES[name]
    if meaning != "update":
        return Words(2, meaning, "warn" if name == "PLACEMENT_FAILURE" else "plain")
    quantity = (updated or {}).get("quantity") or 0
    if updated and quantity:
        what = updated.get("name") or "an item"
        if old is None:
            return Words(3, f"The shopper added {what}. The SDK tells the page.")
        return Words(
            3, f"The placement now shows {quantity} {TIMES} {what}. The SDK tells the page."
        )
    if updated and not updated.get("catalogItemId") and old is None:
        return Words(
            3,
            "The bridge asked for an item of an earlier visit, and the placement does not have "
            "it: every visit has new ids. That is no removal; the cart keeps it.",
        )
    if updated is None and old is None:
        return Words(3, "A message without an item. It means nothing, and nothing happens.")
    return Words(3, "The shopper took an item out. The SDK tells the page.")


def of_bridge(name: str, ask: Mapping[str, Any] | None) -> Words:
    """Explain a message of the bridge to the placement. ``ask``: item and quantity to show."""
    meaning = BRIDGE_MESSAGES[name]
    if name == "CART_ITEM_INSTANT_PURCHASE_RESPONSE":
        is_bought = (ask or {}).get("success") is True
        so = "bought" if is_bought else f"not bought ({(ask or {}).get('reason') or 'no reason'})"
        return Words(5 if is_bought else 4, f"{meaning} It was {so}.")
    if meaning != "ask":
        return Words(3, meaning)
    what, quantity = (ask or {}).get("name") or "an item", (ask or {}).get("quantity") or 0
    shown = f"{quantity} {TIMES} {what}" if quantity else f"no {what}"
    return Words(
        3, f"The bridge asks the placement to show {shown}, for that is what the BFF holds."
    )


def twice(caption: str) -> str:
    """Add to a caption why the same message came again."""
    return (
        f"{caption} It comes twice, as every change does ({TIMES}2): under a newer and an older "
        "name. It is counted once."
    )


def of_dearer(name: str, before: str, after: str) -> Words:
    """Explain a price that rose between the page and the reserve."""
    return Words(
        4,
        f"Rokt locked {after} for {name}; the shopper saw {before}. It stays out of the total "
        "until they say yes.",
        "warn",
    )


def of_lapsed(names: Sequence[str]) -> Words:
    """Explain why Rokt is asked again for what it held before."""
    return Words(
        4,
        f"Rokt's hold on {', '.join(names)} ran out before the payment, so it is asked again. "
        "Nothing was charged on the old one.",
        "warn",
    )


def of_cart(cause: str, cart: Cart) -> Words:
    """Explain a new state of the held cart."""
    holds = _holds(cart)
    if cause == "update":
        return Words(3, f"The page tells the BFF, which commits it, then answers. {holds}")
    if cause == "sync":
        return Words(3, f"The shop's tickets changed; what is linked to them follows. {holds}")
    if cause == FORM:
        return Words(3, f"A form of the shop took an item out, with upsells.remove. {holds}")
    if cause == PRESS:
        return Words(4, f"The press has a cart of its own, apart from the shopper's. {holds}")
    if cause == "reserve":
        return _of_reserved(cart)
    if cause == "release":
        return Words(6, f"The hold was given back. {holds}")
    if cause == "confirm":
        return Words(
            None, f"The order is written down. A new cart begins, with its own id. {holds}"
        )
    return Words(None, holds)


def of_call(call: str, outcome: str, answer: Mapping[str, Any] | None) -> Words:
    """Explain a call to Rokt by how it ended."""
    step = STEP_OF_CALL.get(call)
    if outcome == "done":
        return Words(step, _done(call, answer), "good")
    if outcome == "refused":
        return Words(
            step, f"Rokt said no. That is an answer: it is not asked again.{_so(call)}", "warn"
        )
    if outcome == "not_sent":
        return Words(step, f"Rokt could not be reached. {_without(call)}", "bad")
    return Words(step, f"No proper answer: it may or may not have worked. {_without(call)}", "bad")


def of_order(order: Order) -> Words:
    """Explain how an order's upsell ended."""
    if not order.items:
        return Words(None, "No extras in this order. Nothing is owed to anybody.")
    if order.status == "confirmed":
        return Words(5, "Every paid item is confirmed. Nothing is owed to anybody.", "good")
    if order.status == "refund_needed":
        return Words(5, "Rokt finally refused. The shop is told to give the money back.", "bad")
    return Words(5, f"The order's upsell is {order.status}.")


def of_payment(paid: str, has_extras: bool) -> Words:
    """Explain what the paid order means for its extras. ``paid``: the amount, for people."""
    if not has_extras:
        return Words(None, f"{paid} are paid. No extras in this order.", "good")
    return Words(None, f"{paid} are paid. Now the extras may be confirmed.", "good")


def of_payment_again(amount: str, is_paid: bool) -> Words:
    """Explain what the shop decided about a press on the thanks page."""
    if is_paid:
        return Words(None, f"The shop charges {amount} to the same card, once.", "good")
    return Words(None, "The bank said no to another charge: what was held is given back.", "warn")


def of_consent(name: str, price: str) -> Words:
    """Explain that the shopper took a dearer price."""
    return Words(None, f"The shopper said yes to {name} at {price} each.", "good")


def _of_reserved(cart: Cart) -> Words:
    def names(status: str, *, dearer: bool = False) -> str:
        chosen = (item for item in cart.items if item.status == status)
        return ", ".join(x.name for x in chosen if (x.reason == "price_changed") is dearer)

    if not cart.items:
        return Words(4, "The cart holds nothing, so there is nothing to reserve.")
    reserved, rejected, held = names("reserved"), names("rejected"), names("held")
    dearer = names("reserved", dearer=True)
    told = []
    if reserved:
        told.append(f"Reserved: {reserved}.")
    elif not dearer:
        told.append("Nothing could be reserved.")
    if dearer:
        told.append(f"Held at a higher price, and left out until the shopper says yes: {dearer}.")
    if rejected:
        told.append(f"Not available: {rejected}. The shopper is told.")
    if held and reserved:
        told.append(f"Not reserved: {held}.")
    if reserved:
        told.append("The clock is running until it lapses.")
    return Words(4, " ".join(told), "warn" if rejected or held or dearer else "good")


def _so(call: str) -> str:
    return {
        "confirm": " What was paid for it has to go back.",
        "cancel": " The booking stands, and nothing is refunded.",
    }.get(call, "")


def _done(call: str, answer: Mapping[str, Any] | None) -> str:
    if call == "placements/any":
        if answer is not None and answer.get("result") is False:
            return "Nothing to show, says Rokt: the extras page is skipped."
        return "There is something to show, says Rokt: on to the extras page."
    return {
        "reserve": "Rokt answers item by item. What it holds has its price locked; what the "
        "browser said no longer counts.",
        "confirm": "Paid, says the shop. Rokt tells the provider to fulfill.",
        "release": "Rokt has the stock back for somebody else.",
        "cancel": "The provider agreed. The shop can give the money back.",
    }.get(call, "Done.")


def _without(call: str) -> str:
    return {
        "placements/any": "The shop does not wait: it skips the extras.",
        "reserve": "The checkout goes on without the extras.",
        "confirm": "It is paid, so it is owed: the same bytes are sent again until Rokt answers.",
        "release": "It will be tried again, and lapses by itself anyway.",
        "cancel": "It is owed: it will be tried again.",
    }.get(call, "")


def _holds(cart: Cart) -> str:
    if not cart.items:
        return "It holds nothing."
    lines = ", ".join(f"{item.quantity} {TIMES} {item.name}" for item in cart.items)
    return f"It holds {lines}."

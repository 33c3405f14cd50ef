"""What shoppers read about their extras: not available, more expensive, confirmed, canceled. Pure.

Rokt's own texts never reach the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bff import Cart, Item, Order, PriceChange, Quote, Rejected

TIMES = "\N{MULTIPLICATION SIGN}"
PASSING = frozenset({"unreachable", "busy"})

# The title, text and tone of an extra by its status.
_STATES: Mapping[str, tuple[str, str, str]] = {
    "confirmed": ("Confirmed", "The provider has your booking.", "good"),
    "cancelling": (
        "Being canceled",
        "We are asking the provider. Once they agree, what you paid for it goes back to your card "
        "ending in {card}.",
        "wait",
    ),
    "cancelled": (
        "Canceled",
        "What you paid for it goes back to your card ending in {card}.",
        "over",
    ),
    "refund_needed": (
        "Not available after all",
        "We are sorry. What you paid for it goes back to your card ending in {card}. Your tickets "
        "are not affected.",
        "bad",
    ),
}
_CONFIRMING = (
    "Being confirmed",
    "Paid. The provider has not answered yet. This page updates by itself.",
    "wait",
)
_STANDS = (
    "You asked to cancel it, but the provider refused. Your booking stands, and nothing is "
    "refunded."
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Extras that are not in the total, for one reason.

    Attributes:
        title: The heading. It has the name of a single extra.
        text: The explanation.
        names: The names of several extras.
        again: Whether trying again makes sense.
    """

    title: str
    text: str
    names: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Dearer:
    """An extra that costs more than the shopper saw, and needs their consent. Unit prices."""

    cart_item_id: str
    name: str
    quantity: int
    before: Decimal
    after: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ItemState:
    """The state of one extra of a paid order.

    Attributes:
        item: The extra.
        title: The state in words.
        text: The explanation.
        tone: ``good``, ``wait``, ``bad`` or ``over``.
        can_cancel: Whether the shopper can cancel it.
        is_void: Whether it is refunded, so that its price is struck through.
    """

    item: Item
    title: str
    text: str
    tone: str
    can_cancel: bool = False
    is_void: bool = False


def refusals(rejected: Iterable[Rejected]) -> list[Refused]:
    """Explain why extras are not in the total, once for each reason."""
    causes: dict[str, list[Rejected]] = {}
    for one in rejected:
        # Each partly reserved extra has a message of its own.
        single = one.cart_item_id if one.reason == "partly_reserved" else ""
        cause = "passing" if one.reason in PASSING else one.reason + single
        causes.setdefault(cause, []).append(one)
    return [_refusal(of_cause) for of_cause in causes.values()]


def _refusal(those: Sequence[Rejected]) -> Refused:
    one = those[0]
    names = tuple(each.name for each in those) if len(those) > 1 else ()
    subject = f"{_number(len(names))} extras" if names else one.name
    is_, has, it = ("are", "have", "They are") if names else ("is", "has", "It is")
    out = f"{it} not in your total."
    if one.reason == "sold_out":
        return Refused(
            f"{subject} {has} just sold out", f"{out} Your tickets are not affected.", names
        )
    if one.reason == "partly_reserved":
        return Refused(
            f"Not enough left of {one.name}",
            f"{one.quantity} fewer than you asked for could be held. "
            "Your total has only what you get.",
        )
    if one.reason == "currency_changed":
        return Refused(
            f"{subject} {is_} no longer sold in dollars",
            f"{out} Your tickets are not affected.",
            names,
        )
    if one.reason in PASSING:
        return Refused(
            f"{subject} could not be held just now",
            f"The provider did not answer in time. {out} You can try again, or pay without.",
            names,
            again=True,
        )
    return Refused(
        f"{subject} {is_} not available any more",
        f"The provider could not hold {'them' if names else 'it'} for you. {out} "
        "Your tickets are not affected.",
        names,
    )


def _number(count: int) -> str:
    words = {2: "Two", 3: "Three", 4: "Four", 5: "Five"}
    return words.get(count, str(count))


def left_out(quote: Quote | None, cart: Cart) -> tuple[str, ...]:
    """Return the extras that are in the cart and not charged, as texts. Without a quote: all."""
    if quote is None:
        return tuple(item.name for item in cart.items)
    missing = [
        f"{one.quantity} {TIMES} {one.name}" if one.reason == "partly_reserved" else one.name
        for one in quote.rejected
    ]
    return (*missing, *(one.name for one in dearer(quote, cart)))


def dearer(quote: Quote, cart: Cart) -> list[Dearer]:
    """Return the extras that cost more than the shopper saw or accepted."""
    charged = {item.cart_item_id for item in quote.items}
    lines = {item.cart_item_id: item for item in cart.items}
    return [
        Dearer(
            change.cart_item_id,
            lines[change.cart_item_id].name,
            lines[change.cart_item_id].quantity,
            change.before,
            change.after,
            lines[change.cart_item_id].currency,
        )
        for change in quote.price_changes
        if change.cart_item_id not in charged and change.cart_item_id in lines
    ]


def cheaper(quote: Quote) -> list[tuple[Item, PriceChange]]:
    """Return the extras that cost less than the shopper saw. They are charged at that price."""
    items = {item.cart_item_id: item for item in quote.items}
    return [
        (items[change.cart_item_id], change)
        for change in quote.price_changes
        if change.cart_item_id in items and change.after < change.before
    ]


def item_states(order: Order, card: str, asked: frozenset[str] = frozenset()) -> list[ItemState]:
    """Return the state of each extra of a paid order.

    Args:
        order: The BFF's order.
        card: The last four digits of the card.
        asked: The cart item ids of the extras that were to be canceled.
    """
    return [_item_state(item, card, item.cart_item_id in asked) for item in order.items]


def _item_state(item: Item, card: str, was_asked: bool) -> ItemState:
    title, text, tone = _STATES.get(item.status, _CONFIRMING)
    is_confirmed = item.status == "confirmed"
    return ItemState(
        item,
        title,
        _STANDS if is_confirmed and was_asked else text.format(card=card),
        tone,
        can_cancel=is_confirmed,
        is_void=item.status in ("cancelled", "refund_needed"),
    )

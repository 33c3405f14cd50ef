"""Reads Rokt's responses to reserve and confirm, item by item. Pure.

How a response rejects an item is not documented. Each of these rejects it: the item is absent, it
has no ``itemReservationId``, a status says so, or an error's ``value`` names it. A smaller quantity
rejects the rest. Unknown members are ignored.

A shopper is charged what Rokt says it locked. Without a price and a currency from Rokt, an item is
not sold: what was asked for came from a browser, which may claim anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from bff.cart.held_cart import CartItem
from bff.cart.reservation import Reason
from bff.money import is_currency, minor_digits, read_amount
from bff.rokt.json_values import error_texts, member, objects, texts
from bff.rokt.outcomes import Refused

_NO = re.compile(
    r"reject|unavail|not.?available|fail|declin|denied|refus|sold|out.?of.?stock|no.?stock|"
    r"not.?reserved|unreserved|error|expired|cancel|invalid",
    re.IGNORECASE,
)

_NO_STOCK = re.compile(r"sold|stock|inventory", re.IGNORECASE)

_EXPIRED = re.compile(r"expir|laps", re.IGNORECASE)

# With these statuses a key, a token or a login may be what expired.
_NOT_ABOUT_ITEMS = frozenset({401, 403, 407})

_STATUS_MEMBERS = ("status", "state", "reservationStatus", "itemStatus", "result")

_FLAG_MEMBERS = ("success", "reserved", "isReserved", "available", "isAvailable")

# An id longer than this is not the documented `rokt_item_reservation_id.<guid>`.
MAX_ID = 200


@dataclass(frozen=True, slots=True)
class Granted:
    """An item that Rokt holds, with what it locked. ``expires_at`` is None if it did not say.

    The quantity is never more than was asked for, the total never more than price × quantity.
    """

    cart_item_id: str
    item_reservation_id: str
    quantity: int
    unit_price: Decimal
    total_price: Decimal
    currency: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Denied:
    """An item that is not to be sold.

    With an ``item_reservation_id``, Rokt holds the item but the shopper could not be charged for it
    (another currency, or no price). Then it must be released.
    """

    cart_item_id: str
    reason: Reason
    item_reservation_id: str | None = None


def read_reserve(body: Any, asked: Sequence[CartItem]) -> list[Granted | Denied] | None:
    """Read the body of a response to a reserve.

    Returns:
        A result for each item asked for, in their order; None if the body is unusable.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("items", []), list):
        return None
    found: dict[Any, Mapping[str, Any]] = {}
    for item in objects(body.get("items")):
        if isinstance(item.get("cartItemId"), str):
            found.setdefault(item["cartItemId"], item)
    named = {
        item.cart_item_id: error
        for error in objects(body.get("errors"))
        for item in asked
        if item.cart_item_id in texts(error.get("value"))
    }
    return [
        _read_item(found.get(item.cart_item_id), item, named.get(item.cart_item_id))
        for item in asked
    ]


def read_confirm(body: Any) -> tuple[dict[str, str], frozenset[str]]:
    """Read the body of a response to a confirm, whose form is not documented.

    Returns:
        The reservation ids by cart item id, and the cart item ids that were not confirmed.
    """
    ids: dict[str, str] = {}
    refused = set(texts([error.get("value") for error in objects(member(body, "errors"))]))
    for item in objects(member(body, "items")):
        item_id, reservation_id = item.get("cartItemId"), _reservation_id(item)
        if not isinstance(item_id, str):
            continue
        if reservation_id is not None:
            ids[item_id] = reservation_id
        if _refusal(item) is not None:
            refused.add(item_id)
    return ids, frozenset(refused)


def says_expired(refusal: Refused) -> bool:
    """Tell whether a refused confirm says that the reservations of all it names have expired.

    The codes are not documented, so code and message are read together, by their stems.
    """
    if refusal.status in _NOT_ABOUT_ITEMS:
        return False
    return all(_EXPIRED.search(words) for words in error_texts(refusal.body))


def read_time(value: Any) -> datetime | None:
    """Read one of Rokt's ``…Utc`` times: ISO 8601 with any digits, with or without a Z."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # an offset can lead out of the calendar
        return None


def reason_of(words: str) -> Reason:
    """Return ``SOLD_OUT`` if a status or an error code speaks of stock, else ``REJECTED``."""
    return Reason.SOLD_OUT if _NO_STOCK.search(words) else Reason.REJECTED


def _read_item(
    found: Mapping[str, Any] | None, asked: CartItem, error: Mapping[str, Any] | None
) -> Granted | Denied:
    def denied(reason: Reason, reservation_id: str | None = None) -> Denied:
        return Denied(asked.cart_item_id, reason, reservation_id)

    if error is not None:
        words = (error.get("code"), error.get("message"))
        return denied(reason_of(" ".join(word for word in words if isinstance(word, str))))
    if found is None:
        return denied(Reason.REJECTED)
    refusal = _refusal(found)
    reservation_id = _reservation_id(found)
    quantity = found.get("quantity", asked.quantity)
    good = isinstance(quantity, int | float) and not isinstance(quantity, bool)
    # "not at least one" rather than "below one": Python's parser reads NaN.
    if refusal is not None or reservation_id is None or not good or not quantity >= 1:
        return denied(refusal or Reason.REJECTED)
    # Neither more than was asked for is sold, nor a fraction of an item.
    quantity = min(int(min(quantity, asked.quantity)), asked.quantity)
    currency = found.get("currency")
    if currency in (None, ""):
        return denied(Reason.REJECTED, reservation_id)
    if currency != asked.currency or not is_currency(asked.currency):
        return denied(Reason.CURRENCY_CHANGED, reservation_id)
    prices = _prices(found, asked, quantity)
    if prices is None:
        return denied(Reason.REJECTED, reservation_id)
    return Granted(
        cart_item_id=asked.cart_item_id,
        item_reservation_id=reservation_id,
        quantity=quantity,
        unit_price=prices[0],
        total_price=prices[1],
        currency=asked.currency,
        expires_at=read_time(found.get("expirationDateTimeUtc")),
    )


def _refusal(found: Mapping[str, Any]) -> Reason | None:
    for name in _STATUS_MEMBERS:
        status = found.get(name)
        if isinstance(status, str) and _NO.search(status):
            reason = found.get("reason")
            return reason_of(f"{status} {reason if isinstance(reason, str) else ''}")
    if any(found.get(name) is False for name in _FLAG_MEMBERS):
        return Reason.REJECTED
    return None


def _reservation_id(found: Mapping[str, Any]) -> str | None:
    value = found.get("itemReservationId")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        return None
    # JSON can hold what no database stores, such as half of a surrogate pair.
    return value if value.isprintable() else None


def _prices(
    found: Mapping[str, Any], asked: CartItem, quantity: int
) -> tuple[Decimal, Decimal] | None:
    """Return the locked unit and total price; None if either is not an amount.

    A missing total is computed. A missing unit price is not: ours came from the browser. A shopper
    never pays more than Rokt locked: digits beyond the currency's are dropped, and so is a total
    above unit × quantity. A lower one, a discount, counts.
    """
    smallest = Decimal(1).scaleb(-minor_digits(asked.currency))
    try:
        unit = _amount(found.get("unitPrice"))
        exact = unit.quantize(smallest, ROUND_DOWN) * quantity
        total = found.get("totalPrice")
        total = exact if total is None else _amount(total)
    except ValueError:
        return None
    return (
        unit.quantize(smallest, ROUND_DOWN),
        min(total.quantize(smallest, ROUND_DOWN), exact),
    )


def _amount(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return read_amount(value)

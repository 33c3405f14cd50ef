"""Rokt's answer to a reserve, read tolerantly. Pure.

How a rejected item appears is not documented, so each of these says no: it is absent, it has no
``itemReservationId``, it has a smaller quantity (then the rest is rejected), a status says so,
or an error's ``value`` names it. Extra members are passed over.

What is charged is what Rokt says it locked: without a price and a currency of Rokt's own, an item
is not sold. What was asked for came from a browser, which may claim anything.
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
from bff.rokt.outcomes import Refused, texts

_NO = re.compile(
    r"reject|unavail|not.?available|fail|declin|denied|refus|sold|out.?of.?stock|no.?stock|"
    r"not.?reserved|unreserved|error|expired|cancel|invalid",
    re.IGNORECASE,
)


_NO_STOCK = re.compile(r"sold|stock|inventory", re.IGNORECASE)


_EXPIRED = re.compile(r"expir|laps", re.IGNORECASE)


# A key, a token or a login may expire too.
_NOT_ABOUT_ITEMS = frozenset({401, 403, 407})


_STATUS_MEMBERS = ("status", "state", "reservationStatus", "itemStatus", "result")


_FLAG_MEMBERS = ("success", "reserved", "isReserved", "available", "isAvailable")


# An id longer than this is not the documented `rokt_item_reservation_id.<guid>`.
MAX_ID = 200


@dataclass(frozen=True, slots=True)
class Granted:
    """An item that Rokt holds, with what it locked. ``expires_at`` None: it did not say."""

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

    With an ``item_reservation_id`` Rokt does hold it, but the shopper could not be charged for
    it (another currency, or no price), so it must be given back.
    """

    cart_item_id: str
    reason: Reason
    item_reservation_id: str | None = None


def read_reserve(answer: Any, asked: Sequence[CartItem]) -> list[Granted | Denied] | None:
    """Read what became of each item asked for; None when the answer makes no sense at all."""
    if not isinstance(answer, dict):
        return None
    items = answer.get("items", [])
    if not isinstance(items, list):
        return None
    found: dict[str, Mapping[str, Any]] = {}
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("cartItemId"), str):
            found.setdefault(item["cartItemId"], item)
    errors = answer.get("errors")
    named = {
        item.cart_item_id: error
        for error in (errors if isinstance(errors, list) else [])
        for item in asked
        if isinstance(error, dict) and mentions(error.get("value"), item.cart_item_id)
    }
    return [
        _read_item(found.get(item.cart_item_id), item, named.get(item.cart_item_id))
        for item in asked
    ]


def read_confirm(answer: Any) -> tuple[dict[str, str], frozenset[str]]:
    """Read a confirm's answer, whose form is not documented, as far as it says anything.

    Returns ``cartItemId → itemReservationId`` where it has any, and the cart item ids of which
    a status or an error says that they were not confirmed.
    """
    items = answer.get("items") if isinstance(answer, dict) else None
    errors = answer.get("errors") if isinstance(answer, dict) else None
    ids: dict[str, str] = {}
    refused = {
        text
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
        for text in texts(error.get("value"))
    }
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict) or not isinstance(item.get("cartItemId"), str):
            continue
        reservation_id = _reservation_id(item)
        if reservation_id is not None:
            ids[item["cartItemId"]] = reservation_id
        if _refusal(item) is not None:
            refused.add(item["cartItemId"])
    return ids, frozenset(refused)


def says_expired(refusal: Refused) -> bool:
    """Tell whether a refusal of a confirm says of all it names that its reservation is gone.

    The codes are not documented, so code and text are read together, by their stems.
    """
    if refusal.status in _NOT_ABOUT_ITEMS:
        return False
    answer = refusal.answer if isinstance(refusal.answer, dict) else {}
    errors = answer.get("errors")
    told = [
        [error.get("code"), error.get("message")]
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
    ] or [[answer.get("description")]]
    return all(_EXPIRED.search(" ".join(texts(one))) for one in told)


def mentions(value: Any, text: str) -> bool:
    """Tell whether a JSON value holds this text anywhere, as a whole string."""
    return text in texts(value)


def read_time(value: Any) -> datetime | None:
    """Read Rokt's ``…Utc`` times: ISO 8601 with any number of digits, with or without a Z."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # an offset can lead out of the calendar
        return None


def reason_of(words: str) -> Reason:
    """Tell from a status or an error code whether it is a matter of stock."""
    return Reason.SOLD_OUT if _NO_STOCK.search(words) else Reason.REJECTED


def _read_item(
    found: Mapping[str, Any] | None, asked: CartItem, error: Mapping[str, Any] | None
) -> Granted | Denied:
    if error is not None:
        words = (error.get("code"), error.get("message"))
        return Denied(
            asked.cart_item_id, reason_of(" ".join(word for word in words if isinstance(word, str)))
        )
    if found is None:
        return Denied(asked.cart_item_id, Reason.REJECTED)
    refusal = _refusal(found)
    reservation_id = _reservation_id(found)
    quantity = found.get("quantity", asked.quantity)
    good = isinstance(quantity, int | float) and not isinstance(quantity, bool)
    # "not at least one" rather than "below one": Python's parser reads NaN.
    if refusal is not None or reservation_id is None or not good or not quantity >= 1:
        return Denied(asked.cart_item_id, refusal or Reason.REJECTED)
    # More than asked for is not ours to sell; a fraction of an item neither.
    quantity = min(int(min(quantity, asked.quantity)), asked.quantity)
    currency = found.get("currency")
    if currency in (None, ""):
        return Denied(asked.cart_item_id, Reason.REJECTED, reservation_id)
    if currency != asked.currency or not is_currency(asked.currency):
        return Denied(asked.cart_item_id, Reason.CURRENCY_CHANGED, reservation_id)
    prices = _prices(found, asked, quantity)
    if prices is None:
        return Denied(asked.cart_item_id, Reason.REJECTED, reservation_id)
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
    for member in _STATUS_MEMBERS:
        status = found.get(member)
        if isinstance(status, str) and _NO.search(status):
            reason = found.get("reason")
            return reason_of(f"{status} {reason if isinstance(reason, str) else ''}")
    if any(found.get(member) is False for member in _FLAG_MEMBERS):
        return Reason.REJECTED
    return None


def _reservation_id(found: Mapping[str, Any]) -> str | None:
    value = found.get("itemReservationId")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        return None
    # JSON can say what no database keeps, such as half of a surrogate pair.
    return value if value.isprintable() else None


def _prices(
    found: Mapping[str, Any], asked: CartItem, quantity: int
) -> tuple[Decimal, Decimal] | None:
    """Return unit and total price as locked, None when they are no amounts or there is none.

    Only a total can be computed: the unit price that we know is the browser's. A shopper never
    pays more than Rokt locked: digits beyond the currency's are dropped, and a total above
    unit × quantity does not count. A lower one, a discount, does.
    """
    smallest = Decimal(1).scaleb(-minor_digits(asked.currency))
    try:
        unit = _amount(found.get("unitPrice"))
        exact = unit.quantize(smallest, ROUND_DOWN) * quantity
        told = found.get("totalPrice")
        total = exact if told is None else _amount(told)
    except ValueError:
        return None
    return (
        unit.quantize(smallest, ROUND_DOWN),
        min(total.quantize(smallest, ROUND_DOWN), exact),
    )


def _amount(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    return read_amount(value)

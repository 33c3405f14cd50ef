"""Held carts, items and quotes as the JSON documents that the database stores. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from bff.cart.held_cart import CartItem, HeldCart, Line
from bff.cart.quote import PriceChange, Quote, Rejected
from bff.cart.reservation import ReserveOptions
from bff.cart.shown_cart import Item

# A document of an older release may have members that do not exist any more.
_MEMBERS = frozenset(field.name for field in fields(CartItem))


def dump_item(item: CartItem) -> str:
    """Write one cart item."""
    return _dump(asdict(item))


def load_item(text: str) -> CartItem:
    """Read one cart item."""
    return _item(json.loads(text))


def dump_cart(cart: HeldCart) -> str:
    """Write a held cart."""
    return _dump(
        {
            "cart_id": cart.cart_id,
            "version": cart.version,
            "lines": [asdict(line) for line in cart.lines],
            "removed": cart.removed,
            "known": cart.known,
            "seen": cart.seen,
            "products": cart.products,
        }
    )


def load_cart(text: str) -> HeldCart:
    """Read a held cart."""
    data = json.loads(text)
    return HeldCart(
        cart_id=data["cart_id"],
        version=data["version"],
        lines=tuple(
            Line(_item(x["item"]), x["revision"], x["page"], tuple(x["former"]))
            for x in data["lines"]
        ),
        removed=tuple(data["removed"]),
        known=tuple(data["known"]),
        seen=data["seen"],
        products=data["products"],
    )


def dump_quote(quote: Quote) -> str:
    """Write a quote."""
    document = asdict(quote)
    document["wish"] = document.pop("options")  # as version 0.1.0 reads it
    return _dump(document)


def load_quote(text: str) -> Quote:
    """Read a quote."""
    data = json.loads(text)
    return Quote(
        quote_id=data["quote_id"],
        cart_id=data["cart_id"],
        items=tuple(_shown(x) for x in data["items"]),
        rejected=tuple(Rejected(**x) for x in data["rejected"]),
        price_changes=tuple(
            PriceChange(x["cart_item_id"], Decimal(x["before"]), Decimal(x["after"]))
            for x in data["price_changes"]
        ),
        totals={currency: Decimal(total) for currency, total in data["totals"].items()},
        expires_at=_time(data["expires_at"]),
        cart_version=data["cart_version"],
        reservation_ids=tuple(data["reservation_ids"]),
        options=ReserveOptions(**data["wish"]),
        former={one: tuple(ids) for one, ids in data.get("former", {}).items()},
    )


def _item(data: dict[str, Any]) -> CartItem:
    held = {name: value for name, value in data.items() if name in _MEMBERS}
    return CartItem(**{**held, "unit_price": Decimal(data["unit_price"])})


def _shown(data: dict[str, Any]) -> Item:
    return Item(
        **{
            **data,
            "unit_price": Decimal(data["unit_price"]),
            "total_price": Decimal(data["total_price"]),
            "reserved_until": _time(data["reserved_until"]),
        }
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _dump(data: object) -> str:
    text = json.dumps(data, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace").decode()  # as ``bff.rokt.calls`` does


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")

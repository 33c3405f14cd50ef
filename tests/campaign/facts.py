"""What is known after a case: what the shop did and was told, what BFF has, what Rokt has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from bff.cart.reservation import State
from bff.ops.doctor import examine_database
from bff.ops.invariants import Finding
from bff.store.tables import orders, outbox, reservations
from tests.support.emulator_client import Client
from tests.support.shop import Shop, server_get


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the shop's. ``limit``: the seconds within which it must be answered."""

    name: str
    seconds: float
    limit: float
    status: int
    media_type: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Charged:
    """One item as it was charged; amounts of the whole line and of one."""

    cart_item_id: str
    quantity: int
    unit_price: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class ConfirmRow:
    """A confirm as the outbox has it: its bytes, and the headers that were fixed with them."""

    id: int
    order_id: str
    state: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a verdict is made of. Amounts are decimals, money of one currency.

    ``seen``: the unit price that the shopper saw of each cart item, or the dearer one they took.
    ``locked``: at each quote, the totals that Rokt held by cart item id. ``paid``: what each
    order was charged. ``to_cancel``: order and item of each cancel that was taken on. ``orders``,
    ``state`` and ``journal`` are as HTTP has them. ``live``: cart item ids still held at Rokt when
    nothing was owed any more, before time took them. ``may_lapse``: those of them that nobody
    could know of or give back. ``met``: something really went wrong. ``may_refund``: Rokt refused
    or never answered, so that money may have to go back.
    """

    seen: Mapping[str, Decimal] = field(default_factory=dict)
    locked: Sequence[tuple[Charged, Sequence[Decimal]]] = ()
    paid: Mapping[str, Sequence[Charged]] = field(default_factory=dict)
    orders: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    journal: Sequence[Mapping[str, Any]] = ()
    confirms: Sequence[ConfirmRow] = ()
    findings: Sequence[Finding] = ()
    steps: Sequence[Step] = ()
    to_cancel: Sequence[tuple[str, str]] = ()
    owed: Sequence[str] = ()
    live: frozenset[str] = frozenset()
    may_lapse: frozenset[str] = frozenset()
    met: bool = True
    may_refund: bool = False


def charged_of(quote: Mapping[str, Any]) -> tuple[Charged, ...]:
    """Read the items of a quote, as HTTP has it."""
    return tuple(
        Charged(
            item["cartItemId"],
            item["quantity"],
            Decimal(item["unitPrice"]),
            Decimal(item["totalPrice"]),
        )
        for item in quote["items"]
    )


def totals_held(emulator: Client, cart_item_id: str) -> tuple[Decimal, ...]:
    """Return the locked totals of what the emulator holds for a cart item now."""
    return tuple(
        Decimal(str(one["totalPrice"]))
        for one in emulator.state()["reservations"].values()
        if one["cartItemId"] == cart_item_id and one["state"] == "reserved"
    )


def live_at_rokt(emulator: Client) -> frozenset[str]:
    """Return the cart item ids that are held at the emulator and not sold."""
    made = emulator.state()["reservations"].values()
    return frozenset(one["cartItemId"] for one in made if one["state"] == "reserved")


def known_to_us(shop: Shop) -> frozenset[str]:
    """Return the cart item ids that may be live: reserved for a cart, or their money due back.

    That the cart is still there is for the doctor to say. An order that needs a refund keeps what
    it has at Rokt until it lapses: it may be redriven.
    """
    with shop.parts.store.read() as connection:
        rows = connection.execute(
            select(reservations.c.item).where(
                reservations.c.state.in_([State.RESERVED.value, State.REFUND_NEEDED.value])
            )
        ).scalars()
        return frozenset(json.loads(item)["cart_item_id"] for item in rows)


def orders_of(shop: Shop) -> dict[str, Any]:
    """Read every order, as HTTP has it."""
    with shop.parts.store.read() as connection:
        ids = list(connection.execute(select(orders.c.id)).scalars())
    return {one: server_get(shop, f"/orders/{one}").json for one in ids}


def confirms_of(shop: Shop) -> tuple[ConfirmRow, ...]:
    """Read every confirm of the outbox."""
    query = select(outbox).where(outbox.c.kind == "confirm").order_by(outbox.c.id)
    with shop.parts.store.read() as connection:
        return tuple(
            ConfirmRow(row.id, row.order_id, row.state, bytes(row.body), json.loads(row.headers))
            for row in connection.execute(query)
        )


def owed_by(shop: Shop) -> tuple[str, ...]:
    """Return what is owed to Rokt still, by kind and number."""
    query = select(outbox.c.kind, outbox.c.id).where(outbox.c.state == "queued")
    with shop.parts.store.read() as connection:
        return tuple(f"{row.kind} {row.id}" for row in connection.execute(query))


def examine(shop: Shop) -> tuple[Finding, ...]:
    """Ask the doctor."""
    return tuple(examine_database(shop.parts.store, shop.clock()))

"""What is known after a case: the shop's requests, our database, and Rokt's state."""

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
    """One request of the shop. It must have a response within ``limit`` seconds."""

    name: str
    seconds: float
    limit: float
    status: int
    media_type: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Charged:
    """One item as it was charged: the amounts of the whole line and of one piece."""

    cart_item_id: str
    quantity: int
    unit_price: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class ConfirmRow:
    """A confirm in the outbox: its bytes and its fixed headers."""

    id: int
    order_id: str
    state: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """The input of a verdict. Amounts are decimals of one currency.

    Attributes:
        seen: The unit price of each cart item that the shopper saw, or the higher one that they
            accepted.
        locked: The charged items of each quote, each with the totals that Rokt held for it.
        paid: The items that each order was charged for.
        to_cancel: The order and the item of each accepted cancel.
        orders: The orders, as HTTP returns them.
        state: The emulator's state, as HTTP returns it.
        journal: The emulator's journal, as HTTP returns it.
        confirms: The confirms in the outbox.
        findings: The doctor's findings.
        steps: The shop's requests.
        owed: The calls that are still owed, by kind and number.
        live: The cart item ids that Rokt still held when no call was owed any more.
        may_lapse: Those of them that the shop could not know of, or could not give back.
        met: The fault really occurred.
        may_refund: Rokt refused or never responded, so a refund is allowed.
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
    """Read the items of a quote, as HTTP returns it."""
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
    """Return the locked totals of the emulator's reservations of a cart item."""
    return tuple(
        Decimal(str(one["totalPrice"]))
        for one in emulator.state()["reservations"].values()
        if one["cartItemId"] == cart_item_id and one["state"] == "reserved"
    )


def live_at_rokt(emulator: Client) -> frozenset[str]:
    """Return the cart item ids that are reserved at the emulator and not sold."""
    made = emulator.state()["reservations"].values()
    return frozenset(one["cartItemId"] for one in made if one["state"] == "reserved")


def known_to_us(shop: Shop) -> frozenset[str]:
    """Return the cart item ids that may stay reserved: in a cart, or in an order to refund.

    The doctor checks that the cart still exists. An order that needs a refund keeps its
    reservations until they expire, because it may be redriven.
    """
    with shop.parts.store.read() as connection:
        rows = connection.execute(
            select(reservations.c.item).where(
                reservations.c.state.in_([State.RESERVED.value, State.REFUND_NEEDED.value])
            )
        ).scalars()
        return frozenset(json.loads(item)["cart_item_id"] for item in rows)


def orders_of(shop: Shop) -> dict[str, Any]:
    """Read every order, as HTTP returns it."""
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
    """Return the calls to Rokt that are still owed, by kind and number."""
    query = select(outbox.c.kind, outbox.c.id).where(outbox.c.state == "queued")
    with shop.parts.store.read() as connection:
        return tuple(f"{row.kind} {row.id}" for row in connection.execute(query))


def examine(shop: Shop) -> tuple[Finding, ...]:
    """Return the doctor's findings."""
    return tuple(examine_database(shop.parts.store, shop.clock()))

"""The shop's own orders, in a SQLite file through the standard library.

**One payment form makes one order.** Each payment page has a new form token, which is unique in the
table. The row is written before the card is charged. A repeated post of the same form finds the
first order.

An instant purchase on an order's thanks page is an order of its own, with a link to the first one.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from bff.demo.shop.basket import TicketLine

_ORDERS = """
CREATE TABLE IF NOT EXISTS orders (
    order_id   TEXT PRIMARY KEY,
    form_token TEXT NOT NULL UNIQUE,
    shopper    TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('paying', 'paid', 'declined')),
    quote_id   TEXT,
    tickets    TEXT NOT NULL,
    extras     TEXT NOT NULL,
    currency   TEXT NOT NULL,
    name       TEXT NOT NULL,
    email      TEXT NOT NULL,
    card       TEXT NOT NULL,
    created_at TEXT NOT NULL,
    left_out   TEXT NOT NULL
)
"""
_CANCELS = """
CREATE TABLE IF NOT EXISTS cancels (
    order_id     TEXT NOT NULL,
    cart_item_id TEXT NOT NULL,
    PRIMARY KEY (order_id, cart_item_id)
)
"""
_AFTERWARDS = """
CREATE TABLE IF NOT EXISTS afterwards (
    order_id TEXT PRIMARY KEY,
    first_id TEXT NOT NULL
)
"""

# Without vowels and look-alike characters: a number is easy to read out, and never a word.
_ALPHABET = "BCDFGHJKMNPQRSTVWXZ23456789"


@dataclass(frozen=True, slots=True)
class Buyer:
    """The shopper's details. ``card`` is the last four digits. The shop stores no more of it."""

    name: str
    email: str
    card: str


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """An order of the shop.

    Attributes:
        order_id: Its number, for people and for the BFF.
        shopper: The shopper whose order it is.
        status: ``paying``, ``paid`` or ``declined``.
        quote_id: The BFF's quote that was charged, or None.
        tickets: The tickets.
        extras: What the upsell added to the charge.
        currency: The currency of the charge.
        buyer: The shopper's details.
        created_at: When the order was stored.
        left_out: The extras that the shopper wanted, but neither got nor paid for, as texts.
    """

    order_id: str
    shopper: str
    status: str
    quote_id: str | None
    tickets: tuple[TicketLine, ...]
    extras: Decimal
    currency: str
    buyer: Buyer
    created_at: datetime
    left_out: tuple[str, ...] = ()

    @property
    def ticket_total(self) -> Decimal:
        """The price of the tickets."""
        return sum((line.total for line in self.tickets), Decimal(0))

    @property
    def total(self) -> Decimal:
        """What was charged."""
        return self.ticket_total + self.extras


class Orders:
    """The orders of one shop. Thread-safe: each call opens its own connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connect() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(_ORDERS)
            db.execute(_CANCELS)
            db.execute(_AFTERWARDS)

    def open(
        self,
        form_token: str,
        shopper: str,
        tickets: tuple[TicketLine, ...],
        extras: Decimal,
        currency: str,
        quote_id: str | None,
        buyer: Buyer,
        left_out: tuple[str, ...] = (),
        after: str | None = None,
    ) -> tuple[ShopOrder, bool]:
        """Store an order before its payment, unless the form made one before.

        Args:
            form_token: The token of the payment form.
            shopper: The shopper whose order it is.
            tickets: The tickets.
            extras: What the upsell adds to the charge.
            currency: The currency of the charge.
            quote_id: The BFF's quote, or None.
            buyer: The shopper's details.
            left_out: The extras that are not charged, as texts.
            after: The order on whose thanks page this one is bought.

        Returns:
            The form's order, and whether it is new.
        """
        order_id = "QS-" + "".join(secrets.choice(_ALPHABET) for _ in range(7))
        with self._connect() as db:
            made = db.execute(
                "INSERT INTO orders VALUES (?, ?, ?, 'paying', ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (form_token) DO NOTHING",
                (
                    order_id,
                    form_token,
                    shopper,
                    quote_id,
                    _dump(tickets),
                    str(extras),
                    currency,
                    buyer.name,
                    buyer.email,
                    buyer.card,
                    datetime.now(UTC).isoformat(),
                    json.dumps(left_out),
                ),
            )
            row = db.execute("SELECT * FROM orders WHERE form_token = ?", (form_token,)).fetchone()
            if after is not None:
                db.execute(
                    "INSERT INTO afterwards VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (row["order_id"], after),
                )
            return _order(row), made.rowcount == 1

    def settle(self, order_id: str, paid: bool) -> None:
        """Store whether the card was charged."""
        status = "paid" if paid else "declined"
        with self._connect() as db:
            db.execute(
                "UPDATE orders SET status = ? WHERE order_id = ? AND status = 'paying'",
                (status, order_id),
            )

    def note_cancel(self, order_id: str, cart_item_id: str) -> None:
        """Store that this extra was to be canceled."""
        with self._connect() as db:
            db.execute(
                "INSERT INTO cancels VALUES (?, ?) ON CONFLICT DO NOTHING", (order_id, cart_item_id)
            )

    def cancels(self, order_id: str) -> frozenset[str]:
        """Return the cart item ids of the extras that were to be canceled."""
        with self._connect() as db:
            rows = db.execute("SELECT cart_item_id FROM cancels WHERE order_id = ?", (order_id,))
            return frozenset(row["cart_item_id"] for row in rows)

    def find(self, order_id: str) -> ShopOrder | None:
        """Return the order with this number, of any shopper, or None."""
        with self._connect() as db:
            row = db.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
        return _order(row) if row else None

    def afterwards(self, order_id: str) -> tuple[ShopOrder, ...]:
        """Return the paid orders of this order's thanks page, the oldest first."""
        with self._connect() as db:
            rows = db.execute(
                "SELECT orders.* FROM orders JOIN afterwards USING (order_id)"
                " WHERE first_id = ? AND status = 'paid' ORDER BY created_at",
                (order_id,),
            )
            return tuple(_order(row) for row in rows)

    def first(self, order_id: str) -> str:
        """Return the number of the order on whose thanks page this one was bought, or its own."""
        with self._connect() as db:
            row = db.execute(
                "SELECT first_id FROM afterwards WHERE order_id = ?", (order_id,)
            ).fetchone()
        return str(row["first_id"]) if row else order_id

    def of_form(self, form_token: str, shopper: str) -> ShopOrder | None:
        """Return the order that this shopper's form made before, or None."""
        with self._connect() as db:
            row = db.execute(
                "SELECT * FROM orders WHERE form_token = ? AND shopper = ?", (form_token, shopper)
            ).fetchone()
        return _order(row) if row else None

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        db.row_factory = sqlite3.Row
        try:
            yield db
        finally:
            db.close()


def _dump(tickets: tuple[TicketLine, ...]) -> str:
    return json.dumps([[t.sku, t.name, t.place, t.quantity, str(t.price)] for t in tickets])


def _order(row: sqlite3.Row) -> ShopOrder:
    return ShopOrder(
        order_id=row["order_id"],
        shopper=row["shopper"],
        status=row["status"],
        quote_id=row["quote_id"],
        tickets=tuple(
            TicketLine(sku, name, place, quantity, Decimal(price))
            for sku, name, place, quantity, price in json.loads(row["tickets"])
        ),
        extras=Decimal(row["extras"]),
        currency=row["currency"],
        buyer=Buyer(row["name"], row["email"], row["card"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        left_out=tuple(json.loads(row["left_out"])),
    )

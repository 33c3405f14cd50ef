"""A simple model of a shop: what each shopper holds, saw, accepted and paid. Pure.

It has no sessions, reservations or calls. It computes in a few lines what a page can rely on.
``tests.campaign.test_shop_model`` compares the real shop with it after every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Key = tuple[str, str]


@dataclass(frozen=True)
class Message:
    """One message of a page's SDK: this item has this quantity now, 0 if it was removed."""

    page: str
    seq: int
    cart_item_id: str
    catalog_item_id: str
    quantity: int
    unit_price: Decimal
    preselected: bool = False


def is_refusal(status: int | None) -> bool:
    """Tell whether a confirm is not attempted again after a response with this status."""
    return status is not None and 300 <= status < 500 and status not in (408, 429)


@dataclass
class Held:
    """A line as the shopper sees it.

    ``since`` is the model's count at its last real change, ``names`` every cart item id it had.
    """

    message: Message
    since: int
    names: frozenset[str]


@dataclass(frozen=True)
class Shown:
    """A quote as the shopper saw it, and the model's count when it was made."""

    quote_id: str
    cart_id: str
    count: int
    items: Mapping[str, tuple[int, Decimal]]
    total: Decimal
    names: Mapping[str, frozenset[str]]


@dataclass
class Person:
    """What one shopper holds, saw and accepted."""

    lines: dict[str, Held] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    latest: dict[Key, int] = field(default_factory=dict)
    accepted: dict[tuple[str, int], Decimal] = field(default_factory=dict)
    quotes: dict[str, Shown] = field(default_factory=dict)
    bought: set[Key] = field(default_factory=set)
    offered: dict[str, Decimal] = field(default_factory=dict)
    count: int = 0

    def take(self, message: Message) -> None:
        """Apply a message to which the server responded with 200."""
        if message.preselected and (message.quantity == 0 or message.catalog_item_id in self.known):
            return
        key = (message.page, message.cart_item_id)
        if message.seq <= self.latest.get(key, 0):
            return
        self.latest[key] = message.seq
        if message.quantity == 0:
            self.lines.pop(message.cart_item_id, None)
            return
        self.known.add(message.catalog_item_id)
        self.count += 1
        held = self.lines.get(message.cart_item_id)
        names = held.names if held else frozenset({message.cart_item_id})
        if held is None:
            elsewhere = [
                one
                for one, line in self.lines.items()
                if line.message.catalog_item_id == message.catalog_item_id
                and line.message.page != message.page
            ]
            for one in elsewhere[:1]:  # a return to the page: it replaces the earlier line
                names |= self.lines.pop(one).names
        same = held is not None and (held.message.quantity, held.message.unit_price) == (
            message.quantity,
            message.unit_price,
        )
        since = held.since if held is not None and same else self.count
        self.lines[message.cart_item_id] = Held(message, since, names)

    def cart(self) -> dict[str, tuple[int, Decimal]]:
        """Return the expected cart: each item with its quantity and the price that was seen."""
        return {
            one: (line.message.quantity, line.message.unit_price)
            for one, line in self.lines.items()
        }

    def accept(self, prices: Mapping[str, Decimal]) -> None:
        """Accept higher unit prices of the present lines."""
        for one, price in prices.items():
            if one in self.lines:
                key = (one, self.lines[one].since)
                self.accepted[key] = max(price, self.accepted.get(key, Decimal(0)))

    def most(self, cart_item_id: str) -> Decimal:
        """Return the highest unit price that may be charged for a line."""
        line = self.lines[cart_item_id]
        accepted = self.accepted.get((cart_item_id, line.since), Decimal(0))
        return max(line.message.unit_price, accepted)

    def see(self, quote: Mapping[str, Any]) -> Shown:
        """See a quote, and check it against the held lines."""
        items = {
            item["cartItemId"]: (item["quantity"], Decimal(item["unitPrice"]))
            for item in quote["items"]
        }
        left_out = {item["cartItemId"]: item["quantity"] for item in quote["rejected"]}
        dearer = {change["cartItemId"] for change in quote["priceChanges"]}
        assert set(items) | set(left_out) | dearer == set(self.lines), "a line is not accounted for"
        for one, (quantity, unit_price) in items.items():
            held = self.lines[one].message
            assert 0 < quantity <= held.quantity
            assert quantity + left_out.get(one, 0) == held.quantity
            assert unit_price <= self.most(one), "dearer than what was shown or accepted"
        total = sum((quantity * price for quantity, price in items.values()), Decimal(0))
        assert sum(map(Decimal, quote["totals"].values()), Decimal(0)) == total
        self.offered = {
            change["cartItemId"]: Decimal(change["to"]) for change in quote["priceChanges"]
        }
        names = {one: self.lines[one].names for one in items}
        shown = self.quotes.get(quote["quoteId"])
        if shown is None:
            shown = Shown(quote["quoteId"], quote["cartId"], self.count, items, total, names)
            self.quotes[shown.quote_id] = shown
        assert shown.items == items, "a quote changed after it was shown"
        return shown

    def buy(self, shown: Shown) -> frozenset[str]:
        """Start the cart that follows a bought one, with the lines that changed since the quote.

        Returns the items that another quote had bought before: a line is bought once.
        """
        lines = {one: {(shown.cart_id, x) for x in shown.names[one]} for one in shown.items}
        twice = frozenset(one for one, ids in lines.items() if ids & self.bought)
        self.bought.update(*lines.values())
        self.lines = {one: x for one, x in self.lines.items() if x.since > shown.count}
        return twice


@dataclass
class Payment:
    """One payment of a shopper. ``twice`` are items that had been bought before."""

    person: int
    shown: Shown
    twice: frozenset[str] = frozenset()


@dataclass
class World:
    """All shoppers and payments. ``calm`` ends when something happens that may cost a sale."""

    people: list[Person]
    payments: dict[str, Payment] = field(default_factory=dict)
    bought: set[str] = field(default_factory=set)
    stock: dict[str, int] = field(default_factory=dict)
    calm: bool = True

    def pay(self, order_id: str, person: int, shown: Shown) -> Payment:
        """Charge a shopper for a quote."""
        if shown.quote_id in self.bought:
            twice = frozenset(shown.items)
        else:
            twice = self.people[person].buy(shown)
        self.bought.add(shown.quote_id)
        self.payments[order_id] = Payment(person, shown, twice)
        return self.payments[order_id]

    def stock_adds_up(self, catalog: Mapping[str, Mapping[str, int]]) -> None:
        """Check Rokt's books: the free, held and sold pieces add up to the stock."""
        for one, start in self.stock.items():
            found = catalog[one]
            assert found["stock"] + found["reserved"] + found["sold"] == start, one
            assert min(found["stock"], found["reserved"], found["sold"]) >= 0, one

    def untold(self, confirms: Iterable[Mapping[str, Any]]) -> set[str]:
        """Return the orders without items whose last confirm Rokt refused, by its journal."""
        last = {call["body"]["orderId"]: call["status"] for call in confirms}
        return {
            order_id
            for order_id, payment in self.payments.items()
            if not payment.shown.items and is_refusal(last.get(order_id))
        }

    def nothing_unpaid(self, reservations: Mapping[str, Mapping[str, Any]]) -> None:
        """Check that Rokt fulfilled only paid items, at most once and for the paid price."""
        fulfilled: set[tuple[str, str]] = set()
        for row in reservations.values():
            assert row["fulfilled"] <= 1
            if row["fulfilled"] == 0:
                continue
            payment = self.payments.get(row["orderId"])
            assert payment is not None, "fulfilled without a payment"
            assert row["cartItemId"] not in payment.twice, "a line was fulfilled for two orders"
            key = (row["orderId"], row["cartItemId"])
            assert key not in fulfilled, "fulfilled twice"
            fulfilled.add(key)
            quantity, unit_price = payment.shown.items[row["cartItemId"]]
            assert Decimal(str(row["unitPrice"])) <= unit_price, "Rokt charges more than was paid"
            # A confirm of a new reservation must have the paid quantity.
            assert row["quantity"] == quantity, "another quantity than was paid"

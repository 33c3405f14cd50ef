"""What the Ropewalk sells, and its orders, kept in memory: a theatre of sixty seats. Pure but that.

One payment form makes one order: each page carries a fresh form token, and who posts the same
form twice finds the first order.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

CURRENCY = "USD"
MOST = 6  # seats of one order
_KEPT = 500  # orders; a demo runs for an afternoon

# Without vowels and look-alikes: read out over the telephone, and never a word.
_ALPHABET = "BCDFGHJKMNPQRSTVWXZ23456789"
# One @, something on both sides and a dot behind it: enough to catch a slip of the finger.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@dataclass(frozen=True, slots=True)
class Seat:
    """One price of seat. ``left`` 0: sold out."""

    sku: str
    name: str
    place: str
    price: Decimal
    left: int | None = None


SEATS: tuple[Seat, ...] = (
    Seat("seat", "Seat", "Benches with cushions, not numbered", Decimal("28.00")),
    Seat("under26", "Under 26", "The same benches, with proof of age", Decimal("16.00")),
    Seat("front", "Front bench", "Close enough to feel the rain", Decimal("34.00"), left=0),
)


@dataclass(frozen=True, slots=True)
class Line:
    """``quantity`` seats of one price."""

    seat: Seat
    quantity: int

    @property
    def total(self) -> Decimal:
        """What the line costs."""
        return self.seat.price * self.quantity


@dataclass(frozen=True, slots=True)
class Choice:
    """The seats that somebody chose; ``problem`` says, for people, why they cannot be had."""

    lines: tuple[Line, ...] = ()
    problem: str = ""

    @property
    def total(self) -> Decimal:
        """What all seats cost."""
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def count(self) -> int:
        """How many seats there are."""
        return sum(line.quantity for line in self.lines)


def read_choice(form: Mapping[str, str]) -> Choice:
    """Read the numbers of seats out of a form or an address."""
    lines = []
    for seat in SEATS:
        text = form.get(seat.sku, "").strip() or "0"
        if not (text.isascii() and text.isdigit() and len(text) <= 3):
            return Choice(problem="Please give the number of seats as a whole number.")
        if int(text) and seat.left == 0:
            return Choice(problem=f"{seat.name} is sold out. Please choose another seat.")
        if int(text):
            lines.append(Line(seat, int(text)))
    choice = Choice(tuple(lines))
    if choice.count > MOST:
        return Choice(problem=f"You can book up to {MOST} seats at a time.")
    return choice if lines else Choice(problem="Please choose at least one seat.")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who books, and what is wrong with the form (field → text)."""

    name: str = ""
    email: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


def read_buyer(form: Mapping[str, str]) -> Buyer:
    """Check the details of who books."""
    name, email = form.get("name", "").strip()[:120], form.get("email", "").strip()[:254]
    errors = {}
    if not name:
        errors["name"] = "Enter your name."
    if not _EMAIL.fullmatch(email):
        errors["email"] = "Enter an email address, such as nora@example.com."
    return Buyer(name, email, errors)


@dataclass(frozen=True, slots=True)
class Booking:
    """A paid order. ``extras``: what was charged for them; ``told``: what the BFF knows of it.

    ``told``: ``none`` (no extras), ``owed`` (the BFF has not heard yet), ``yes``, or ``refused``.
    """

    order_id: str
    token: str
    lines: tuple[Line, ...]
    buyer: Buyer
    extras: Decimal = Decimal(0)
    handle: str = field(default="", repr=False)
    quote_id: str = ""
    told: str = "none"

    @property
    def seats_total(self) -> Decimal:
        """What the seats cost."""
        return sum((line.total for line in self.lines), Decimal(0))


class Bookings:
    """The orders, by the token in their address, which nobody can guess. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_token: OrderedDict[str, Booking] = OrderedDict()
        self._by_form: dict[str, str] = {}

    def add(self, form_token: str, booking: Booking) -> tuple[Booking, bool]:
        """Keep an order; the bool tells whether it is new. Else it is the form's first one."""
        with self._lock:
            first = self._by_token.get(self._by_form.get(form_token, ""))
            if first is not None:
                return first, False
            self._by_token[booking.token] = booking
            self._by_form[form_token] = booking.token
            while len(self._by_token) > _KEPT:
                gone, _ = self._by_token.popitem(last=False)
                self._by_form = {k: v for k, v in self._by_form.items() if v != gone}
            return booking, True

    def of_form(self, form_token: str) -> Booking | None:
        """The order that this form made, or None."""
        with self._lock:
            return self._by_token.get(self._by_form.get(form_token, ""))

    def find(self, token: str) -> Booking | None:
        """The order at this address, or None."""
        with self._lock:
            return self._by_token.get(token)

    def tell(self, token: str, told: str) -> Booking:
        """Note what the BFF knows of it."""
        with self._lock:
            self._by_token[token] = replace(self._by_token[token], told=told)
            return self._by_token[token]


def new_order_id() -> str:
    """Make an order number."""
    return "RW-" + "".join(secrets.choice(_ALPHABET) for _ in range(7))


def the_evening(today: date) -> date:
    """The performance: a Friday about three weeks ahead, so that the demo does not grow stale."""
    day = today + timedelta(days=20)
    return day + timedelta(days=(4 - day.weekday()) % 7)

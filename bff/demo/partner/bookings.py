"""The seats of the Ropewalk, its forms, and its bookings in memory.

One payment form makes one booking. Each page has a new form token, and a repeated post of the same
form finds the first booking.
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
MAX_SEATS = 6  # of one booking
_MAX_BOOKINGS = 500  # older ones are dropped

# Without vowels and look-alike characters: a number is easy to read out, and never a word.
_ALPHABET = "BCDFGHJKMNPQRSTVWXZ23456789"
# One @, text on both sides, and a dot in the domain: finds typing errors.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@dataclass(frozen=True, slots=True)
class Seat:
    """One category of seats. ``left`` is how many are left; None if there are enough."""

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
    """``quantity`` seats of one category."""

    seat: Seat
    quantity: int

    @property
    def total(self) -> Decimal:
        """The price of the line."""
        return self.seat.price * self.quantity


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen seats. ``problem`` says to the shopper why they cannot be booked."""

    lines: tuple[Line, ...] = ()
    problem: str = ""

    @property
    def total(self) -> Decimal:
        """The price of all seats."""
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def count(self) -> int:
        """The number of seats."""
        return sum(line.quantity for line in self.lines)


def read_choice(form: Mapping[str, str]) -> Choice:
    """Read the numbers of seats from a form or a query."""
    lines = []
    for seat in SEATS:
        text = form.get(seat.sku, "").strip() or "0"
        if not (text.isascii() and text.isdigit() and len(text) <= 3):
            return Choice(problem="Please enter the number of seats as a whole number.")
        if int(text) and seat.left == 0:
            return Choice(problem=f"{seat.name} is sold out. Please choose another seat.")
        if int(text):
            lines.append(Line(seat, int(text)))
    choice = Choice(tuple(lines))
    if choice.count > MAX_SEATS:
        return Choice(problem=f"You can book up to {MAX_SEATS} seats at a time.")
    return choice if lines else Choice(problem="Please choose at least one seat.")


@dataclass(frozen=True, slots=True)
class Buyer:
    """The shopper's details. ``errors`` has a text for each wrong field."""

    name: str = ""
    email: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


def read_buyer(form: Mapping[str, str]) -> Buyer:
    """Read and check the shopper's details."""
    name, email = form.get("name", "").strip()[:120], form.get("email", "").strip()[:254]
    errors = {}
    if not name:
        errors["name"] = "Enter your name."
    if not _EMAIL.fullmatch(email):
        errors["email"] = "Enter an email address, such as nora@example.com."
    return Buyer(name, email, errors)


@dataclass(frozen=True, slots=True)
class Booking:
    """A paid booking.

    Attributes:
        order_id: Its number, for people and for the BFF.
        token: Its secret name in addresses.
        lines: The seats.
        buyer: The shopper's details.
        extras: What was charged for extras.
        handle: The shopper's handle at the BFF.
        quote_id: The quote that was charged.
        recorded: Whether the BFF has the order: ``none`` (there are no extras), ``owed`` (not yet),
            ``yes``, or ``refused``.
    """

    order_id: str
    token: str
    lines: tuple[Line, ...]
    buyer: Buyer
    extras: Decimal = Decimal(0)
    handle: str = field(default="", repr=False)
    quote_id: str = ""
    recorded: str = "none"

    @property
    def seats_total(self) -> Decimal:
        """The price of the seats."""
        return sum((line.total for line in self.lines), Decimal(0))


class Bookings:
    """The bookings, by the secret token in their address. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_token: OrderedDict[str, Booking] = OrderedDict()
        self._by_form: dict[str, str] = {}

    def add(self, form_token: str, booking: Booking) -> tuple[Booking, bool]:
        """Store a booking, unless the form made one before.

        Returns:
            The form's booking, and whether it is new.
        """
        with self._lock:
            first = self._by_token.get(self._by_form.get(form_token, ""))
            if first is not None:
                return first, False
            self._by_token[booking.token] = booking
            self._by_form[form_token] = booking.token
            while len(self._by_token) > _MAX_BOOKINGS:
                dropped, _ = self._by_token.popitem(last=False)
                self._by_form = {k: v for k, v in self._by_form.items() if v != dropped}
            return booking, True

    def of_form(self, form_token: str) -> Booking | None:
        """Return the booking that this form made, or None."""
        with self._lock:
            return self._by_token.get(self._by_form.get(form_token, ""))

    def find(self, token: str) -> Booking | None:
        """Return the booking with this token, or None."""
        with self._lock:
            return self._by_token.get(token)

    def set_recorded(self, token: str, recorded: str) -> Booking:
        """Store whether the BFF has the order."""
        with self._lock:
            self._by_token[token] = replace(self._by_token[token], recorded=recorded)
            return self._by_token[token]


def new_order_id() -> str:
    """Create an order number."""
    return "RW-" + "".join(secrets.choice(_ALPHABET) for _ in range(7))


def the_evening(today: date) -> date:
    """Return the date of the play: a Friday about three weeks ahead."""
    day = today + timedelta(days=20)
    return day + timedelta(days=(4 - day.weekday()) % 7)

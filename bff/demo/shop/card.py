"""The card form, its errors, and a bank that charges nobody. Pure.

The number and the CVC are checked only. They are not stored, not logged, and not shown again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from bff.demo.shop.orders import Buyer

TEST_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
ONCE_CARD = "4000 0000 0000 0341"  # accepted once, declined afterwards

# One @, text on both sides, and a dot in the domain: finds typing errors. Only a message to the
# address can show whether it exists.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@dataclass(frozen=True, slots=True)
class CardForm:
    """What the shopper typed. ``errors`` has a text for each wrong field."""

    name: str
    email: str
    errors: Mapping[str, str]
    number: str = ""

    @property
    def buyer(self) -> Buyer:
        """The buyer, if there are no errors."""
        return Buyer(self.name, self.email, self.number[-4:])

    @property
    def declined(self) -> bool:
        """Whether the bank declines the card. It declines one number only."""
        return self.number == DECLINED_CARD.replace(" ", "")


def charge_again(buyer: Buyer) -> bool:
    """Charge the same card once more. The shop keeps its last four digits only."""
    return buyer.card != ONCE_CARD[-4:]


def read_card(form: Mapping[str, str], today: date) -> CardForm:
    """Read and check a posted card form."""
    name = form.get("name", "").strip()
    email = form.get("email", "").strip()
    number = re.sub(r"[\s-]", "", form.get("number", ""))
    expiry = form.get("expiry", "").strip()
    cvc = form.get("cvc", "").strip()
    errors = {}
    if not _EMAIL.fullmatch(email) or len(email) > 254:
        errors["email"] = "Enter an email address, such as nora@example.com."
    if not number:
        errors["number"] = "Enter the card number."
    elif not _is_card(number):
        errors["number"] = "This is not a card number. Please check the digits."
    problem = _expiry_problem(expiry, today)
    if problem:
        errors["expiry"] = problem
    if not re.fullmatch(r"[0-9]{3,4}", cvc):
        errors["cvc"] = "Enter the 3 or 4 digits of the security code."
    if not name or len(name) > 120:
        errors["name"] = "Enter the name on the card."
    return CardForm(name[:120], email[:254], errors, number)


def _is_card(number: str) -> bool:
    """Check the digits by the Luhn algorithm."""
    if not re.fullmatch(r"[0-9]{12,19}", number):
        return False
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * 2 if place % 2 else int(digit)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _expiry_problem(text: str, today: date) -> str | None:
    found = re.fullmatch(r"([0-9]{1,2})\s*[/-]?\s*((?:20)?[0-9]{2})", text)
    if not found or not 1 <= int(found[1]) <= 12:
        return "Enter month and year, such as 04 / 29."
    month, year = int(found[1]), 2000 + int(found[2]) % 100
    if (year, month) < (today.year, today.month):
        return "This card has expired."
    return None

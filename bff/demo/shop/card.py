"""The card form: what is asked, what is wrong with it, and a bank that charges nobody. Pure.

The number and the CVC are looked at and forgotten: they are not kept, not logged, and not
printed back into the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from bff.demo.shop.orders import Buyer

TEST_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
ONCE_CARD = "4000 0000 0000 0341"  # as payment providers have one: good now, declined afterwards

# One @, something on both sides and a dot in the domain: enough to catch a slip of the finger.
# Whether an address exists, only a message to it can tell.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@dataclass(frozen=True, slots=True)
class CardForm:
    """What the shopper typed, and what is wrong with it (field → text for the shopper)."""

    name: str
    email: str
    errors: Mapping[str, str]
    number: str = ""

    @property
    def buyer(self) -> Buyer:
        """The buyer, once there are no errors."""
        return Buyer(self.name, self.email, self.number[-4:])

    @property
    def declined(self) -> bool:
        """What the bank would say. This one knows a single card that it declines."""
        return self.number == DECLINED_CARD.replace(" ", "")


def charge_again(buyer: Buyer) -> bool:
    """Ask the bank for another charge to the card that paid, by what a shop may keep of it."""
    return buyer.card != ONCE_CARD[-4:]


def read_card(form: Mapping[str, str], today: date) -> CardForm:
    """Check a posted card form."""
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
    """Check the digits by Luhn's sum, which every card number satisfies."""
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

"""Amounts: decimals of a currency of ISO 4217, and browser floats read safely.

Decides what an amount is; what it may be in a cart is for ``bff.cart``. Currencies and their
minor digits come from the library ``iso4217``, which carries the standard's own table.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from iso4217 import Currency

# No add-on at a checkout costs a billion; beyond it a float cannot hold cents faithfully either.
MAX_AMOUNT = Decimal(1_000_000_000)


# What the Web SDK's renderer sends when an item has no currency (it shows the sign).
NO_CURRENCY = ("$", "")


# Codes of the table without minor units: gold, testing, drawing rights. Nothing is sold in them.
_DIGITS: dict[str, int] = {c.code: c.exponent for c in Currency if c.exponent is not None}


def is_currency(code: str) -> bool:
    """Tell whether ``code`` is an ISO 4217 code that things are sold in, such as ``USD``."""
    return code in _DIGITS


def minor_digits(currency: str) -> int:
    """Return the digits after the point: 2 for USD, 0 for JPY, 3 for BHD.

    Raises ``KeyError`` for a code that ``is_currency`` refuses.
    """
    return _DIGITS[currency]


def read_amount(value: float | int | Decimal) -> Decimal:
    """Read a JSON number as the decimal it was meant as: the shortest form of the float.

    ``0.1`` gives ``Decimal("0.1")``, not its binary neighbour. Raises ``ValueError`` for NaN,
    infinities, negatives and what exceeds ``MAX_AMOUNT``.
    """
    amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not amount.is_finite():
        raise ValueError("must be a finite number")
    if amount < 0:
        raise ValueError("must not be negative")
    if amount > MAX_AMOUNT:
        raise ValueError(f"must not exceed {MAX_AMOUNT}")
    return amount.copy_abs()  # JSON has a minus zero, which nobody should be shown


def to_minor(amount: Decimal, currency: str) -> Decimal:
    """Round to the currency's minor digits: 12.5 USD gives ``Decimal("12.50")``."""
    return amount.quantize(Decimal(1).scaleb(-minor_digits(currency)), ROUND_HALF_EVEN)


def has_minor_digits(amount: Decimal, currency: str) -> bool:
    """Tell whether the amount has no more digits than the currency: 12.505 USD has not."""
    return to_minor(amount, currency) == amount


def same_to_rounding(claimed: Decimal, exact: Decimal, currency: str) -> bool:
    """Tell whether two amounts differ by no more than a float's rounding can make.

    Less than half a minor unit: 0.30000000000000004 USD is 0.30, but 0.31 is not.
    """
    return abs(claimed - exact) * 2 < Decimal(1).scaleb(-minor_digits(currency))

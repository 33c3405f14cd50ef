"""Amounts of money: decimals in a currency of ISO 4217, and floats of browsers read as decimals.

``bff.cart`` decides which amounts a cart may have. The currencies and their minor digits come from
the library ``iso4217``, which has the standard's own table.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from iso4217 import Currency

# No add-on costs a billion. Beyond it, a float cannot hold cents exactly.
MAX_AMOUNT = Decimal(1_000_000_000)

# The Web SDK's renderer sends one of these if an item has no currency.
NO_CURRENCY = ("$", "")

# Codes without minor units are left out: gold, testing, drawing rights. Nothing is sold in them.
_DIGITS: dict[str, int] = {c.code: c.exponent for c in Currency if c.exponent is not None}


def is_currency(code: str) -> bool:
    """Tell whether a code is an ISO 4217 currency in which things are sold, such as ``USD``."""
    return code in _DIGITS


def minor_digits(currency: str) -> int:
    """Return the digits after the point: 2 for USD, 0 for JPY, 3 for BHD.

    Raises:
        KeyError: ``is_currency`` is false for the code.
    """
    return _DIGITS[currency]


def read_amount(value: float | int | Decimal) -> Decimal:
    """Read a JSON number as the decimal that was meant.

    Args:
        value: The number; a float counts by its shortest form, so 0.1 is ``Decimal("0.1")``.

    Returns:
        The amount.

    Raises:
        ValueError: The number is negative, not finite, or above ``MAX_AMOUNT``.
    """
    amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not amount.is_finite():
        raise ValueError("must be a finite number")
    if amount < 0:
        raise ValueError("must not be negative")
    if amount > MAX_AMOUNT:
        raise ValueError(f"must not exceed {MAX_AMOUNT}")
    return amount.copy_abs()  # JSON has a minus zero, which must not be shown


def to_minor(amount: Decimal, currency: str) -> Decimal:
    """Round to the currency's minor digits: 12.5 USD gives ``Decimal("12.50")``."""
    return amount.quantize(Decimal(1).scaleb(-minor_digits(currency)), ROUND_HALF_EVEN)


def has_minor_digits(amount: Decimal, currency: str) -> bool:
    """Tell whether an amount has no more digits than its currency: false for 12.505 USD."""
    return to_minor(amount, currency) == amount


def same_to_rounding(claimed: Decimal, exact: Decimal, currency: str) -> bool:
    """Tell whether two amounts differ by less than half a minor unit, as after float rounding.

    0.30000000000000004 USD is the same as 0.30; 0.31 USD is not.
    """
    return abs(claimed - exact) * 2 < Decimal(1).scaleb(-minor_digits(currency))

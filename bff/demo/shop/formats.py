"""Template filters: amounts, dates and times by Babel, and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from babel.dates import format_date, format_time
from babel.numbers import format_currency
from flask import Flask, url_for

from bff.demo.shop.catalogue import CURRENCY, LOCALE


def money(amount: Decimal, currency: str = CURRENCY) -> str:
    """Format an amount: ``$12.50``."""
    return format_currency(amount, currency, locale=LOCALE)


def day(moment: datetime) -> str:
    """Format a date: ``Saturday, January 9, 2027``."""
    return format_date(moment, "full", locale=LOCALE)


def short_day(moment: datetime) -> str:
    """Format a date in short: ``Sat, Jan 9, 2027``."""
    return format_date(moment, "EEE, MMM d, y", locale=LOCALE)


def clock(moment: datetime | time) -> str:
    """Format a time of day: ``8:00 PM``, with a no-break space."""
    at = moment.time() if isinstance(moment, datetime) else moment
    return format_time(at, "h:mm\N{NO-BREAK SPACE}a", locale=LOCALE)


def minutes_left(until: datetime) -> str:
    """Format the time until ``until``, rounded down to minutes."""
    minutes = seconds_left(until) // 60
    if minutes < 1:
        return "less than a minute"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def seconds_left(until: datetime) -> int:
    """Return the whole seconds until ``until``, or 0 if it is over."""
    return max(int((until - datetime.now(UTC)).total_seconds()), 0)


def pretty(value: Any) -> str:
    """Format JSON with indents."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def asset(name: str) -> str:
    """Return the URL of one of the demo's static files."""
    return url_for("static", filename=f"demo/{name}")


def init_app(app: Flask) -> None:
    """Add the filters to the app's templates."""
    for function in (money, day, short_day, clock, minutes_left, seconds_left, pretty):
        app.add_template_filter(function)
    app.jinja_env.globals["asset"] = asset

"""The partner's pages: templates filled by ``string.Template``, with every value escaped. Pure.

A value is text unless it is ``Html``. So no text of a shopper or of Rokt can become markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from bff.demo.partner.bookings import CURRENCY, MAX_SEATS, SEATS, Booking, Buyer, Choice, Line, Seat
from bff.demo.partner.texts import ItemState, Problem

TIMES = "\N{MULTIPLICATION SIGN}"


class Html(str):
    """Markup, as opposed to text."""

    __slots__ = ()


def money(amount: Decimal | str) -> str:
    """Format an amount of dollars."""
    return f"${Decimal(amount):,.2f}"


class Pages:
    """Renders the pages.

    Args:
        folder: Where the templates are.
        shared: Values for every page.
    """

    def __init__(self, folder: Path, shared: Mapping[str, object]) -> None:
        self._templates = {
            path.stem: Template(path.read_text(encoding="utf-8")) for path in folder.glob("*.html")
        }
        self._shared = shared

    def play(self, evening: date, choice: Choice) -> str:
        """Render the play and its seats."""
        chosen = {line.seat.sku: line.quantity for line in choice.lines}
        return self._page(
            "play",
            "The Weather Station",
            evening=_day(evening),
            problem=self._message(Problem(choice.problem)) if choice.problem else "",
            seats=_join(self._seat(seat, chosen.get(seat.sku, 0)) for seat in SEATS),
            most=MAX_SEATS,
        )

    def checkout(
        self,
        evening: date,
        choice: Choice,
        form_token: str,
        tags: Html,
        *,
        account_id: str,
        sandbox: bool,
        buyer: Buyer,
        problem: Problem | None = None,
    ) -> str:
        """Render the extras and the form. ``problem`` is about the last attempt to pay."""
        return self._page(
            "checkout",
            "Checkout" if problem is None else f"{problem.title}, checkout",
            head=tags,
            evening=_day(evening),
            lines=_join(self._line(line) for line in choice.lines),
            seats=_join(
                Html(f'<input type="hidden" name="{line.seat.sku}" value="{line.quantity}">')
                for line in choice.lines
            ),
            again="?" + "&".join(f"{line.seat.sku}={line.quantity}" for line in choice.lines),
            total=money(choice.total),
            seats_total=choice.total,
            count=choice.count,
            currency=CURRENCY,
            form_token=form_token,
            account_id=account_id,
            sandbox=str(sandbox).lower(),
            start="pay" if problem or buyer.errors else "extras",
            problem=self._message(problem, "bad") if problem else "",
            name=self._field("name", "Name", "text", buyer, buyer.name),
            email=self._field("email", "Email", "email", buyer, buyer.email),
        )

    def booking(
        self,
        evening: date,
        booking: Booking,
        extras: Iterable[ItemState],
        state: str,
        problem: Problem | None = None,
    ) -> str:
        """Render a paid booking. The page's script compares ``state``."""
        states = tuple(extras)
        refund = sum((one.refund for one in states), Decimal(0))
        paid = booking.seats_total + booking.extras
        waits = any(one.tone == "wait" for one in states)
        return self._page(
            "booking",
            "Thank you",
            head=Html('<noscript><meta http-equiv="refresh" content="5"></noscript>' * waits),
            evening=_day(evening),
            order_id=booking.order_id,
            name=booking.buyer.name,
            email=booking.buyer.email,
            problem=self._message(problem, "bad") if problem else "",
            lines=_join(self._line(line) for line in booking.lines),
            bill_extras=self._fill("bill", name="Extras", each="", total=money(booking.extras))
            if booking.extras
            else "",
            extras=_join(self._item_state(booking, one) for one in states),
            refund=self._fill("bill", name="Refund", each="", total=f"\u2212{money(refund)}")
            if refund
            else "",
            total=money(paid - refund),
            state=state,
            poll=f"/bookings/{booking.token}/state" if waits else "",
        )

    def error(self, title: str, text: str) -> str:
        """Render an error."""
        return self._page("error", title, heading=title, text=text)

    def _page(self, template: str, title: str, /, **values: object) -> str:
        values = {**self._shared, "head": "", **values}
        main = self._fill(template, **values)
        return self._fill("layout", **{**values, "title": title, "main": main})

    def _fill(self, template: str, /, **values: object) -> Html:
        texts = {
            key: value if isinstance(value, Html) else escape(str(value))
            for key, value in values.items()
        }
        return Html(self._templates[template].substitute(texts))

    def _seat(self, seat: Seat, chosen: int) -> Html:
        if seat.left == 0:
            return self._fill(
                "seat_gone", name=seat.name, place=seat.place, price=money(seat.price)
            )
        options = (
            Html(f"<option{' selected' if n == chosen else ''}>{n}</option>")
            for n in range(MAX_SEATS + 1)
        )
        return self._fill(
            "seat",
            sku=seat.sku,
            name=seat.name,
            place=seat.place,
            price=money(seat.price),
            options=_join(options),
        )

    def _line(self, line: Line) -> Html:
        each = f"{line.quantity} {TIMES} {money(line.seat.price)}"
        return self._fill("bill", name=line.seat.name, each=each, total=money(line.total))

    def _item_state(self, booking: Booking, one: ItemState) -> Html:
        total = money(one.total)
        cancel: Html | str = ""
        if one.can_cancel:
            cancel = self._fill(
                "cancel",
                token=booking.token,
                cart_item_id=one.cart_item_id,
                name=one.name,
                amount=total,
            )
        return self._fill(
            "standing",
            quantity=one.quantity,
            name=one.name,
            total=total,
            tone=one.tone,
            title=one.title,
            text=one.text,
            cancel=cancel,
        )

    def _message(self, problem: Problem, tone: str = "bad") -> Html:
        return self._fill("message", tone=tone, title=problem.title, text=problem.text)

    def _field(self, name: str, label: str, kind: str, buyer: Buyer, value: str) -> Html:
        error = buyer.errors.get(name, "")
        invalid = Html(f' aria-invalid="true" aria-describedby="{name}-error"')
        return self._fill(
            "field",
            name=name,
            label=label,
            kind=kind,
            value=value,
            error=error,
            invalid=invalid if error else "",
        )


def _day(evening: date) -> str:
    return f"{evening:%A, %B} {evening.day}, {evening.year}"


def _join(parts: Iterable[Any]) -> Html:
    return Html("\n".join(parts))

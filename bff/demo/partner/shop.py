"""The partner's pages, as functions of what was asked: seats, checkout, booking, cancel.

The page reserves through the bridge. Before anything is charged, the backend asks for the quote
once more, by the shopper's handle, and charges only what the page showed; then it says with the
server key that the order is paid. A BFF that is away costs the shopper the extras, never the seats.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path

from bff.demo.partner.bookings import (
    CURRENCY,
    Booking,
    Bookings,
    Buyer,
    Choice,
    new_order_id,
    read_buyer,
    read_choice,
    the_evening,
)
from bff.demo.partner.client import Bff, Refused, Unreachable
from bff.demo.partner.pages import Html, Pages
from bff.demo.partner.texts import (
    CHANGED,
    CHECK,
    NOT_CANCELED,
    NOT_HELD,
    PROVIDER_REFUSED,
    Problem,
    Standing,
    standings,
    untold,
)

log = logging.getLogger(__name__)

_STATUS = {NOT_HELD: HTTPStatus.SERVICE_UNAVAILABLE, CHANGED: HTTPStatus.CONFLICT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """What the operator of a partner's shop sets.

    ``bff``: its address with the prefix. ``bridge_tags``: gives the preloads that ``rokt-bff
    integrity --base …`` prints. ``sdk_tag``: Rokt's launcher. ``policy``: the pages'
    Content-Security-Policy. ``templates``, ``static``: where the files are. ``about``: the page
    that shows what goes on behind it.
    """

    bff: str
    origin: str
    server_key: str = field(repr=False)
    bridge_tags: Callable[[], str]
    sdk_tag: str
    account_id: str
    sandbox: bool
    policy: str
    templates: Path
    static: Path
    about: str


class NotThere(Exception):
    """There is nothing at this address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: HTML unless ``kind`` says otherwise, or the address to go to next."""

    body: str | bytes = ""
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/html; charset=utf-8"
    location: str = ""

    @property
    def is_page(self) -> bool:
        """Whether it is of this moment and this shopper, not a file of the shop."""
        return not isinstance(self.body, bytes)


class Shop:
    """The pages, as functions of what was asked."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self._bff = Bff(partner.bff, partner.server_key, partner.origin)
        self._bookings = Bookings()
        self._pages = Pages(partner.templates, {"about": partner.about})
        self._files = {path.name: path for path in partner.static.iterdir() if path.is_file()}

    def get(self, path: str, query: Mapping[str, str]) -> Answer:
        """Answer a GET. Raises ``NotThere``."""
        match path.strip("/").split("/"):
            case [""]:
                return Answer(self._pages.play(self._evening(), Choice()))
            case ["checkout"]:
                return self._checkout(query)
            case ["static", name] if name in self._files:
                kind = guess_type(name)[0] or "application/octet-stream"
                return Answer(self._files[name].read_bytes(), kind=kind)
            case ["bookings", token]:
                return self._booking(self._own(token))
            case ["bookings", token, "state"]:
                _, state = self._stand(self._own(token))
                return Answer(json.dumps({"state": state}), kind="application/json")
        raise NotThere

    def post(self, path: str, form: Mapping[str, str]) -> Answer:
        """Answer a POST. Raises ``NotThere``."""
        match path.strip("/").split("/"):
            case ["bookings"]:
                return self._pay(form)
            case ["bookings", token, "cancel"]:
                return self._cancel(self._own(token), form.get("cart_item_id", ""))
        raise NotThere

    def lost(self, status: HTTPStatus, title: str, text: str) -> Answer:
        """Answer with a page that says what went wrong."""
        return Answer(self._pages.error(title, text), status)

    def _checkout(self, query: Mapping[str, str]) -> Answer:
        choice = read_choice(query)
        if choice.problem:
            page = self._pages.play(self._evening(), choice)
            return Answer(page, HTTPStatus.UNPROCESSABLE_ENTITY)
        return Answer(self._checkout_page(choice, Buyer()))

    def _pay(self, form: Mapping[str, str]) -> Answer:
        form_token = form.get("form_token", "")
        before = self._bookings.of_form(form_token)
        if before is not None:
            return _to(before)
        choice, buyer = read_choice(form), read_buyer(form)
        if choice.problem:
            page = self._pages.play(self._evening(), choice)
            return Answer(page, HTTPStatus.UNPROCESSABLE_ENTITY)
        if buyer.errors:
            page = self._checkout_page(choice, buyer, CHECK)
            return Answer(page, HTTPStatus.UNPROCESSABLE_ENTITY)
        due = self._due(choice, form)
        if isinstance(due, Problem):
            # The same form, posted twice at once, may have been paid meanwhile: what it held is
            # sold, and only a look at the bookings tells that from a change.
            before = self._bookings.of_form(form_token)
            page = self._checkout_page(choice, buyer, due)
            return _to(before) if before else Answer(page, _STATUS[due])
        booking = Booking(
            new_order_id(),
            secrets.token_urlsafe(16),
            choice.lines,
            buyer,
            due,
            form.get("handle", ""),
            form.get("quote_id", ""),
            "owed" if form.get("quote_id") else "none",  # an extra may be free, and is to be had
        )
        booking, is_new = self._bookings.add(form_token, booking)
        # Here a theatre would charge the card. This one has none to charge.
        if is_new:
            self._tell(booking)
        return _to(booking)

    def _due(self, choice: Choice, form: Mapping[str, str]) -> Decimal | Problem:
        """What is to be charged for extras, by the BFF's word; or why nothing may be charged."""
        quote_id, shown = form.get("quote_id", ""), form.get("shown", "")
        extras = Decimal(0)
        if quote_id:
            try:
                quote = self._bff.reserve(form.get("handle", ""))
                extras = Decimal(quote["totals"].get(CURRENCY, "0"))
            except (Unreachable, Refused, KeyError, AttributeError, ArithmeticError) as error:
                log.warning("nothing was charged, for the BFF gave no quote: %r", error)
                return NOT_HELD
            # The quote is the one of the page, in the currency that this theatre charges in.
            if quote.get("quoteId") != quote_id or set(quote["totals"]) - {CURRENCY}:
                return CHANGED
        if not form.get("form_token") or (shown and shown != f"{choice.total + extras:.2f}"):
            return CHANGED
        return extras

    def _tell(self, booking: Booking) -> Booking:
        """Say that the order is paid. Where it cannot be said, the next look at it says it."""
        if booking.told != "owed":
            return booking
        try:
            self._bff.record(booking.handle, booking.order_id, booking.quote_id)
        except Unreachable:
            log.warning("the BFF has not heard of the paid order %s yet", booking.order_id)
            return booking
        except Refused as error:
            log.error("the BFF did not take the paid order %s: %s", booking.order_id, error)
            return self._bookings.tell(booking.token, "refused")
        return self._bookings.tell(booking.token, "yes")

    def _stand(self, booking: Booking) -> tuple[list[Standing], str]:
        """Where the extras stand, and the same in one word for the page's script."""
        booking = self._tell(booking)
        found = untold(booking)
        if booking.told == "yes":
            try:
                found = standings(self._bff.order(booking.order_id))
            except (Unreachable, Refused) as error:
                log.warning("order %s could not be read: %s", booking.order_id, error)
        return found, ",".join(one.title for one in found)

    def _cancel(self, booking: Booking, cart_item_id: str) -> Answer:
        try:
            order = self._bff.cancel(booking.order_id, cart_item_id)
        except Unreachable:
            return self._booking(booking, NOT_CANCELED, HTTPStatus.SERVICE_UNAVAILABLE)
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise NotThere from None
            return _to(booking)  # canceled already, by another press or tab
        asked = [one for one in standings(order) if one.cart_item_id == cart_item_id]
        if any(one.can_cancel for one in asked):
            return self._booking(booking, PROVIDER_REFUSED, HTTPStatus.CONFLICT)
        return _to(booking)

    def _booking(
        self,
        booking: Booking,
        problem: Problem | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Answer:
        extras, state = self._stand(booking)
        page = self._pages.booking(self._evening(), booking, extras, state, problem)
        return Answer(page, status)

    def _checkout_page(self, choice: Choice, buyer: Buyer, problem: Problem | None = None) -> str:
        partner = self._partner
        return self._pages.checkout(
            self._evening(),
            choice,
            secrets.token_urlsafe(24),
            Html(f"{partner.bridge_tags()}\n{partner.sdk_tag}"),
            account_id=partner.account_id,
            sandbox=partner.sandbox,
            buyer=buyer,
            problem=problem,
        )

    def _own(self, token: str) -> Booking:
        booking = self._bookings.find(token)
        if booking is None:
            raise NotThere
        return booking

    def _evening(self) -> date:
        return the_evening(date.today())


def _to(booking: Booking) -> Answer:
    return Answer(status=HTTPStatus.SEE_OTHER, location=f"/bookings/{booking.token}")

"""The partner's backend: responses to the requests of its pages, without a server.

The page reserves through the bridge. Before it charges, the backend reads the quote again with the
shopper's handle, and charges only what the page showed. Then it records the paid order with the
server key. If the BFF is down, the shopper loses the extras, never the seats.
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
    ItemState,
    Problem,
    item_states,
    unknown_states,
)

log = logging.getLogger(__name__)

_STATUS = {NOT_HELD: HTTPStatus.SERVICE_UNAVAILABLE, CHANGED: HTTPStatus.CONFLICT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """The settings of a partner's shop.

    Attributes:
        bff: The BFF's address with its prefix.
        origin: The origin of the partner's pages.
        server_key: The key for server-to-server calls.
        bridge_tags: Returns the preload tags that ``rokt-bff integrity --base …`` prints.
        sdk_tag: The script tag of Rokt's launcher.
        account_id: The account at Rokt; empty with the stand-in.
        sandbox: Whether the account is a sandbox.
        policy: The Content-Security-Policy of the pages.
        templates: The folder of the templates.
        static: The folder of the static files.
        about: The address of the panel for these pages.
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


class NotFound(Exception):
    """The address does not exist."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response: HTML unless ``kind`` is another content type, or a redirect to ``location``."""

    body: str | bytes = ""
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/html; charset=utf-8"
    location: str = ""

    @property
    def is_page(self) -> bool:
        """Whether it is a page of this shopper, not a static file."""
        return not isinstance(self.body, bytes)


class Shop:
    """Responds to requests by method and path."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self._bff = Bff(partner.bff, partner.server_key, partner.origin)
        self._bookings = Bookings()
        self._pages = Pages(partner.templates, {"about": partner.about})
        self._files = {path.name: path for path in partner.static.iterdir() if path.is_file()}

    def get(self, path: str, query: Mapping[str, str]) -> Response:
        """Respond to a GET.

        Raises:
            NotFound: The address does not exist.
        """
        match path.strip("/").split("/"):
            case [""]:
                return Response(self._pages.play(self._evening(), Choice()))
            case ["checkout"]:
                return self._checkout(query)
            case ["static", name] if name in self._files:
                kind = guess_type(name)[0] or "application/octet-stream"
                return Response(self._files[name].read_bytes(), kind=kind)
            case ["bookings", token]:
                return self._booking(self._own(token))
            case ["bookings", token, "state"]:
                _, state = self._states(self._own(token))
                return Response(json.dumps({"state": state}), kind="application/json")
        raise NotFound

    def post(self, path: str, form: Mapping[str, str]) -> Response:
        """Respond to a POST of a form.

        Raises:
            NotFound: The address does not exist.
        """
        match path.strip("/").split("/"):
            case ["bookings"]:
                return self._pay(form)
            case ["bookings", token, "cancel"]:
                return self._cancel(self._own(token), form.get("cart_item_id", ""))
        raise NotFound

    def error(self, status: HTTPStatus, title: str, text: str) -> Response:
        """Respond with an error page."""
        return Response(self._pages.error(title, text), status)

    def _checkout(self, query: Mapping[str, str]) -> Response:
        choice = read_choice(query)
        if choice.problem:
            page = self._pages.play(self._evening(), choice)
            return Response(page, HTTPStatus.UNPROCESSABLE_ENTITY)
        return Response(self._checkout_page(choice, Buyer()))

    def _pay(self, form: Mapping[str, str]) -> Response:
        form_token = form.get("form_token", "")
        before = self._bookings.of_form(form_token)
        if before is not None:
            return _redirect(before)
        choice, buyer = read_choice(form), read_buyer(form)
        if choice.problem:
            page = self._pages.play(self._evening(), choice)
            return Response(page, HTTPStatus.UNPROCESSABLE_ENTITY)
        if buyer.errors:
            page = self._checkout_page(choice, buyer, CHECK)
            return Response(page, HTTPStatus.UNPROCESSABLE_ENTITY)
        due = self._due(choice, form)
        if isinstance(due, Problem):
            # A concurrent post of the same form may have paid meanwhile. Then its extras are sold.
            before = self._bookings.of_form(form_token)
            page = self._checkout_page(choice, buyer, due)
            return _redirect(before) if before else Response(page, _STATUS[due])
        booking = Booking(
            new_order_id(),
            secrets.token_urlsafe(16),
            choice.lines,
            buyer,
            due,
            form.get("handle", ""),
            form.get("quote_id", ""),
            "owed" if form.get("quote_id") else "none",  # even if the extras are free
        )
        booking, is_new = self._bookings.add(form_token, booking)
        # A real theater would charge the card here.
        if is_new:
            self._record(booking)
        return _redirect(booking)

    def _due(self, choice: Choice, form: Mapping[str, str]) -> Decimal | Problem:
        """Return the charge for extras by the BFF's quote, or why nothing may be charged."""
        quote_id, shown = form.get("quote_id", ""), form.get("shown", "")
        extras = Decimal(0)
        if quote_id:
            try:
                quote = self._bff.reserve(form.get("handle", ""))
                extras = Decimal(quote["totals"].get(CURRENCY, "0"))
            except (Unreachable, Refused, KeyError, AttributeError, ArithmeticError) as error:
                log.warning("nothing was charged, because the BFF gave no quote: %r", error)
                return NOT_HELD
            # It must be the quote of the page, in the theater's currency.
            if quote.get("quoteId") != quote_id or set(quote["totals"]) - {CURRENCY}:
                return CHANGED
        if not form.get("form_token") or (shown and shown != f"{choice.total + extras:.2f}"):
            return CHANGED
        return extras

    def _record(self, booking: Booking) -> Booking:
        """Record the paid order. If the BFF cannot be reached, the next page view tries again."""
        if booking.recorded != "owed":
            return booking
        try:
            self._bff.record(booking.handle, booking.order_id, booking.quote_id)
        except Unreachable:
            log.warning("the paid order %s could not be recorded yet", booking.order_id)
            return booking
        except Refused as error:
            log.error("the BFF refused the paid order %s: %s", booking.order_id, error)
            return self._bookings.set_recorded(booking.token, "refused")
        return self._bookings.set_recorded(booking.token, "yes")

    def _states(self, booking: Booking) -> tuple[list[ItemState], str]:
        """Return the states of the extras, and one text of them for the page's script."""
        booking = self._record(booking)
        found = unknown_states(booking)
        if booking.recorded == "yes":
            try:
                found = item_states(self._bff.order(booking.order_id))
            except (Unreachable, Refused) as error:
                log.warning("order %s could not be read: %s", booking.order_id, error)
        return found, ",".join(one.title for one in found)

    def _cancel(self, booking: Booking, cart_item_id: str) -> Response:
        try:
            order = self._bff.cancel(booking.order_id, cart_item_id)
        except Unreachable:
            return self._booking(booking, NOT_CANCELED, HTTPStatus.SERVICE_UNAVAILABLE)
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise NotFound from None
            return _redirect(booking)  # canceled already, in another tab for instance
        canceled = [one for one in item_states(order) if one.cart_item_id == cart_item_id]
        if any(one.can_cancel for one in canceled):
            return self._booking(booking, PROVIDER_REFUSED, HTTPStatus.CONFLICT)
        return _redirect(booking)

    def _booking(
        self,
        booking: Booking,
        problem: Problem | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        extras, state = self._states(booking)
        page = self._pages.booking(self._evening(), booking, extras, state, problem)
        return Response(page, status)

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
            raise NotFound
        return booking

    def _evening(self) -> date:
        return the_evening(date.today())


def _redirect(booking: Booking) -> Response:
    return Response(status=HTTPStatus.SEE_OTHER, location=f"/bookings/{booking.token}")

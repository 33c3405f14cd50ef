"""The panel's endpoints: the timeline as a page and as JSON, the SDK's messages, the switches."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import (
    Blueprint,
    abort,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue

from bff import BffError, Upsells
from bff.demo.shopper import SHOPPER, shopper
from bff.demo.timeline import captions, switches
from bff.demo.timeline.listener import PARTNER, Listener
from bff.demo.timeline.timeline import Timeline

Item = Mapping[str, Any] | None

backstage = Blueprint("backstage", __name__)

log = logging.getLogger(__name__)

_MAX_BYTES = 16 * 1024  # a message of the SDK has about 600
_MAX_TEXT = 300
_MAX_CLOCK_SKEW = timedelta(seconds=10)
_ITEM_MEMBERS = (
    "cartItemId",
    "catalogItemId",
    "name",
    "quantity",
    "unitPrice",
    "totalPrice",
    "currency",
    "linkedProductId",
    "quantityMustBeSynchronized",
    # members of the response to an instant purchase
    "totalUpsellPrice",
    "paid",
    "success",
    "reason",
    "orderConfirmationId",
)


@dataclass(frozen=True, slots=True)
class Panel:
    """The objects that the panel's views share.

    Attributes:
        upsells: The shop's BFF.
        timeline: The trails that the panel shows.
        listener: Fills the timeline. Kept here because signals hold receivers weakly.
        switches: None if the shop calls Rokt itself.
        partner_url: The partner's shop, or empty.
    """

    upsells: Upsells
    timeline: Timeline
    listener: Listener
    switches: switches.Switches | None
    partner_url: str


def panel() -> Panel:
    """Return the panel of the current app."""
    found: Panel = current_app.extensions["demo_panel"]
    return found


@backstage.get("/timeline")
def timeline() -> ResponseReturnValue:
    """Show all entries as a page, or with ``?after=N`` the newer ones as JSON."""
    return _timeline(shopper())


@backstage.get("/timeline/partner")
def partners_timeline() -> ResponseReturnValue:
    """Show the trail of the partner's shop: the requests of its page and its server."""
    if not panel().partner_url:
        abort(404)
    return _timeline(PARTNER)


def _timeline(trail: str) -> ResponseReturnValue:
    after = request.args.get("after")
    if after is None:
        entries, last = panel().timeline.since(trail)
        of_partner = panel().partner_url if trail == PARTNER else ""
        return render_template(
            "demo/timeline.html",
            entries=[entry.to_json() for entry in entries],
            last=last,
            of_partner=of_partner,
        )
    if not (after.isascii() and after.isdigit() and len(after) < 16):
        abort(400)
    entries, last = panel().timeline.since(trail, int(after))
    return jsonify(entries=[entry.to_json() for entry in entries], last=last)


@backstage.post("/timeline/sdk")
def sdk() -> ResponseReturnValue:
    """Store a message between page and placement: ``{name, at, cartItem?, oldCartItem?, ask?}``.

    Only the page's script sees these messages. ``at`` is in milliseconds since 1970, by the
    browser's clock. ``ask`` is the item that the bridge asks the placement to show.
    """
    request.max_content_length = _MAX_BYTES
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400)
    name, at = body.get("name"), _time(body.get("at"))
    if not isinstance(name, str):
        abort(400)
    if name in captions.BRIDGE_MESSAGES:
        _add_bridge_message(name, _item(body.get("ask")), at)
    elif name in captions.SDK_MESSAGES:
        _add_sdk_message(name, _item(body.get("cartItem")), _item(body.get("oldCartItem")), at)
    else:
        abort(400)
    return "", 204


@backstage.post("/timeline/controls")
def control() -> ResponseReturnValue:
    """Turn one of the switches. ``reset`` also empties this browser's cart and trail."""
    found = panel().switches
    name = request.form.get("toggle", "")
    if found is None or (name not in switches.NAMES and name != "reset"):
        abort(404)
    if not found.toggle(name):
        abort(503)
    if name == "reset":
        _start_over()
    back = request.form.get("next", "")
    if request.accept_mimetypes.best == "application/json":
        return jsonify(active=sorted(found.active))
    # Redirect to paths of this shop only.
    local = back.startswith("/") and not back.startswith(("//", "/\\"))
    return redirect(back if local else url_for("backstage.timeline"), 303)


def template_values() -> dict[str, Any]:
    """Return what the template of every page needs to show the panel."""
    parts = panel()
    entries, last = parts.timeline.since(shopper())
    return {
        "entries": [entry.to_json() for entry in entries],
        "last": last,
        "steps": captions.STEPS,
        "partner_url": parts.partner_url,
        "switches": switches.NAMES if parts.switches else {},
        "active": parts.switches.active if parts.switches else frozenset(),
    }


def _add_sdk_message(name: str, updated: Item, old: Item, at: datetime) -> None:
    is_update = captions.SDK_MESSAGES[name] == "update"
    is_response = name in captions.SDK_RESPONSES
    label = _label(name)
    panel().timeline.add(
        shopper(),
        "page",
        "rokt" if is_response else "page",
        "selectPlacements" if is_response else "cart item message" if is_update else label,
        captions.of_sdk(name, updated, old),
        response=label if is_response else "",
        detail={"cartItem": updated, "oldCartItem": old} if is_update else {"message": name},
        at=at,
        name=name if is_update else "",
    )


def _add_bridge_message(name: str, ask: Item, at: datetime) -> None:
    detail = {"message": name, **({"data": ask} if ask else {})}
    caption = captions.of_bridge(name, ask)
    panel().timeline.add(shopper(), "page", "page", _label(name), caption, detail=detail, at=at)


def _label(name: str) -> str:
    return name.removeprefix("V2_").removeprefix("CART_ITEM_").replace("_", " ").lower()


def _start_over() -> None:
    """Release what is reserved, empty both carts, and start a new session.

    The shopper keeps the same name, so the pages of paid orders still open.
    """
    upsells = panel().upsells
    try:
        for item in upsells.release().items:
            upsells.remove(item.cart_item_id)
    except BffError:
        log.exception("the held items could not be released; their reservations will expire")
    name = shopper()
    session.clear()
    session[SHOPPER] = name
    panel().timeline.forget(name)
    panel().timeline.forget(PARTNER)


def _item(value: object) -> Item:
    """Return the members of a CartItem that the panel shows. Long texts are cut."""
    if not isinstance(value, dict):
        return None
    item: dict[str, Any] = {}
    for name in _ITEM_MEMBERS:
        member = value.get(name)
        if isinstance(member, str):
            item[name] = member[:_MAX_TEXT]
        elif isinstance(member, bool | int | float):
            item[name] = member
    return item


def _time(milliseconds: object) -> datetime:
    """Return the browser's time, or the server's if the two differ by more than the skew.

    The browser's time puts entries into the right order.
    """
    now = datetime.now(UTC)
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return now
    try:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return now
    return min(at, now) if abs(now - at) <= _MAX_CLOCK_SKEW else now

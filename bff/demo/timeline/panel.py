"""The panel's endpoints: the timeline as a page and as JSON, the SDK's messages, the switches."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from bff import BffError
from bff.demo.context import parts, shopper
from bff.demo.shop import csrf
from bff.demo.timeline import captions
from bff.demo.timeline import switches as controls
from bff.demo.timeline.listener import PARTNER, SHOPPER

Item = Mapping[str, Any] | None

backstage = Blueprint("backstage", __name__)
backstage.before_request(csrf.check)

log = logging.getLogger(__name__)

_MOST_BYTES = 16 * 1024  # a message of the SDK has some 600
_LONGEST_TEXT = 300
_CLOCKS_APART = timedelta(seconds=10)
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
    # of the answer to an instant purchase
    "totalUpsellPrice",
    "paid",
    "success",
    "reason",
    "orderConfirmationId",
)


@backstage.get("/timeline")
def timeline() -> ResponseReturnValue:
    """The whole sequence as a page; with ``?after=N`` what is newer, as JSON."""
    return _timeline(shopper())


@backstage.get("/timeline/partner")
def partners_timeline() -> ResponseReturnValue:
    """The same of the partner's shop: what its page and its server sent to the BFF."""
    if not parts().partner_url:
        abort(404)
    return _timeline(PARTNER)


def _timeline(trail: str) -> ResponseReturnValue:
    after = request.args.get("after")
    if after is None:
        entries, last = parts().timeline.since(trail)
        of_partner = parts().partner_url if trail == PARTNER else ""
        return render_template(
            "demo/timeline.html",
            entries=[entry.to_json() for entry in entries],
            last=last,
            of_partner=of_partner,
        )
    if not (after.isascii() and after.isdigit() and len(after) < 16):
        abort(400)
    entries, last = parts().timeline.since(trail, int(after))
    return jsonify(entries=[entry.to_json() for entry in entries], last=last)


@backstage.post("/timeline/sdk")
def sdk() -> ResponseReturnValue:
    """Take a message between page and placement: ``{name, at, cartItem?, oldCartItem?, ask?}``.

    Only the page hears them. ``at``: milliseconds since 1970 by the browser's clock. ``ask``: of
    the bridge's own messages, the item that the placement is to show.
    """
    request.max_content_length = _MOST_BYTES
    told = request.get_json(silent=True)
    if not isinstance(told, dict):
        abort(400)
    name, at = told.get("name"), _moment(told.get("at"))
    if not isinstance(name, str):
        abort(400)
    if name in captions.BRIDGE_MESSAGES:
        _of_bridge(name, _item(told.get("ask")), at)
    elif name in captions.SDK_MESSAGES:
        _of_sdk(name, _item(told.get("cartItem")), _item(told.get("oldCartItem")), at)
    else:
        abort(400)
    return "", 204


@backstage.post("/timeline/controls")
def control() -> ResponseReturnValue:
    """Turn one of the panel's switches; ``reset`` also empties this browser's cart and trail."""
    switches = parts().controls
    name = request.form.get("toggle", "")
    if switches is None or (name not in controls.NAMES and name != "reset"):
        abort(404)
    if not switches.toggle(name):
        abort(503)
    if name == "reset":
        _start_over()
    back = request.form.get("next", "")
    if request.accept_mimetypes.best == "application/json":
        return jsonify(active=sorted(switches.active))
    # Only a path of this shop: a form must not send anybody elsewhere.
    local = back.startswith("/") and not back.startswith(("//", "/\\"))
    return redirect(back if local else url_for("backstage.timeline"), 303)


def panel() -> dict[str, Any]:
    """What every page's template needs to draw the panel."""
    entries, last = parts().timeline.since(shopper())
    switches = parts().controls
    return {
        "entries": [entry.to_json() for entry in entries],
        "last": last,
        "steps": captions.STEPS,
        "partner_url": parts().partner_url,
        "can_control": switches is not None,
        "control_names": controls.NAMES,
        "active": switches.active if switches else frozenset(),
    }


def _of_sdk(name: str, updated: Item, old: Item, at: datetime) -> None:
    is_update = captions.SDK_MESSAGES[name] == "update"
    is_answer = name in captions.ANSWERS_OF_SDK
    said = _spoken(name)
    parts().timeline.add(
        shopper(),
        "page",
        "rokt" if is_answer else "page",
        "selectPlacements" if is_answer else "cart item message" if is_update else said,
        captions.of_sdk(name, updated, old),
        answer=said if is_answer else "",
        detail={"cartItem": updated, "oldCartItem": old} if is_update else {"message": name},
        at=at,
        name=name if is_update else "",
    )


def _of_bridge(name: str, ask: Item, at: datetime) -> None:
    detail = {"message": name, **({"data": ask} if ask else {})}
    words = captions.of_bridge(name, ask)
    parts().timeline.add(shopper(), "page", "page", _spoken(name), words, detail=detail, at=at)


def _spoken(name: str) -> str:
    return name.removeprefix("V2_").removeprefix("CART_ITEM_").replace("_", " ").lower()


def _start_over() -> None:
    """Give back what is held, empty both carts, and begin the shop's session anew.

    The shopper stays the same one, so that the pages of paid orders still open.
    """
    upsells = parts().upsells
    try:
        for item in upsells.release().items:
            upsells.remove(item.cart_item_id)
    except BffError:
        log.exception("what is held could not be given back; it lapses by itself")
    known = shopper()
    session.clear()
    session[SHOPPER] = known
    parts().timeline.forget(known)
    parts().timeline.forget(PARTNER)


def _item(told: object) -> Item:
    """The members of a CartItem that are worth showing, each cut to size."""
    if not isinstance(told, dict):
        return None
    item: dict[str, Any] = {}
    for member in _ITEM_MEMBERS:
        value = told.get(member)
        if isinstance(value, str):
            item[member] = value[:_LONGEST_TEXT]
        elif isinstance(value, bool | int | float):
            item[member] = value
    return item


def _moment(told: object) -> datetime:
    """The browser's time where it can be believed, so that entries stand in the right order."""
    now = datetime.now(UTC)
    if isinstance(told, bool) or not isinstance(told, int | float):
        return now
    try:
        at = datetime.fromtimestamp(told / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return now
    return min(at, now) if abs(now - at) <= _CLOCKS_APART else now

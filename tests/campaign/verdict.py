"""The invariants, judged on the facts of one case. Pure: each yields its violations as texts.

They are the promises of the design as seen from outside: in Rokt's state and journal, in the
responses to the shop, and in the doctor's findings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bff.outbox.settlement import EARLIER
from tests.campaign.facts import Charged, Facts
from tests.campaign.lane import SLACK

# An item stays so when its cancel is given up. Rokt may have acted, and must not refund it twice.
LEAVING = "cancelling"
SOLD = ("confirmed", "cancelled", LEAVING)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant."""

    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


def judge(facts: Facts) -> list[Violation]:
    """Return every violation of every invariant."""
    return [
        Violation(invariant.__name__, text) for invariant in INVARIANTS for text in invariant(facts)
    ]


def the_fault_was_met(facts: Facts) -> Iterator[str]:
    """A case in which its fault did not occur proves nothing."""
    if not facts.met:
        yield "nothing went wrong in this case"


def the_doctor_is_content(facts: Facts) -> Iterator[str]:
    """The doctor reports what needs a person's work, all of it, and nothing else."""
    expected = {
        ("refund_needed", one): "needs a refund"
        for one, order in facts.orders.items()
        if order["status"] == "refund_needed"
    } | {
        ("cancel_given_up", one): "has a cancel of which nobody knows"
        for one, order in facts.orders.items()
        if facts.may_refund and LEAVING in _statuses(order)
    }
    kinds = {name for name, _ in expected}
    for finding in facts.findings:
        if finding.name not in kinds | {"refund_needed"}:
            yield f"{finding.name}: {finding.text}"
    for (name, order_id), what in expected.items():
        if not any(one.name == name and order_id in one.text for one in facts.findings):
            yield f"order {order_id} {what}, and nobody is told"


def nothing_is_owed(facts: Facts) -> Iterator[str]:
    """In the end every call has a response, or is given up and marked so."""
    yield from (f"{one} is still owed" for one in facts.owed)


def nothing_is_fulfilled_twice(facts: Facts) -> Iterator[str]:
    """Each item of an order is fulfilled at most once, however many calls were made."""
    for (order_id, item), made in _made(facts).items():
        count = sum(one["fulfilled"] for one in made)
        if count > 1:
            yield f"{item} of order {order_id} was fulfilled {count} times"


def nothing_is_fulfilled_unpaid(facts: Facts) -> Iterator[str]:
    """Each fulfilled item was paid for, in its order and in its quantity."""
    for (order_id, item), made in _made(facts).items():
        charged = _charged(facts, order_id).get(item)
        for one in made:
            if not one["fulfilled"]:
                continue
            if charged is None:
                yield f"{item} was fulfilled for order {order_id}, which did not pay for it"
            elif one["quantity"] != charged.quantity:
                yield f"{one['quantity']} of {item} went out, {charged.quantity} were paid for"


def nothing_is_bought_unreserved(facts: Facts) -> Iterator[str]:
    """Only items that were reserved at a locked price are confirmed."""
    for one in facts.state.get("reservations", {}).values():
        if not one["held"]:
            yield f"{one['cartItemId']} was bought by quantity, without a reservation"


def what_was_paid_is_confirmed_or_refunded(facts: Facts) -> Iterator[str]:
    """Every paid item was fulfilled, or it needs a refund and was not fulfilled.

    Where it may have been fulfilled nevertheless, the order says so.
    """
    made = _made(facts)
    for order_id, charges in facts.paid.items():
        order = facts.orders.get(order_id)
        if order is None:
            yield f"order {order_id} is paid and unknown"
            continue
        found = {item["cartItemId"]: item["status"] for item in order["items"]}
        for charged in charges:
            item = charged.cart_item_id
            count = sum(one["fulfilled"] for one in made.get((order_id, item), ()))
            status = found.get(item)
            if status in SOLD:
                if count != 1:
                    yield f"{item} of order {order_id} is {status}, and went out {count} times"
            elif status != "refund_needed":
                yield f"{item} of order {order_id} is paid, and {status}"
            elif count and EARLIER not in (order.get("lastError") or ""):
                yield f"{item} of order {order_id} went out, its money goes back, and nobody says"


def nothing_is_refunded_needlessly(facts: Facts) -> Iterator[str]:
    """No order needs a refund because of an unknown outcome or a process that was killed."""
    for order_id, order in facts.orders.items():
        if order["status"] == "refund_needed" and not facts.may_refund:
            yield f"order {order_id} needs a refund: {order.get('lastError')}"


def nothing_costs_more_than_seen_or_locked(facts: Facts) -> Iterator[str]:
    """The charge is the locked price, and at most the price that the shopper saw or accepted."""
    for charged, totals in facts.locked:
        item, total = charged.cart_item_id, charged.total
        if total not in totals:
            yield f"{item} was quoted at {total}, and Rokt locked {_list(totals)}"
    for order_id, charges in facts.paid.items():
        for charged in charges:
            item, seen = charged.cart_item_id, facts.seen.get(charged.cart_item_id)
            if seen is None or charged.total > seen * charged.quantity:
                yield f"{item} of order {order_id} cost {charged.total}, seen at {seen} each"
            if charged.total != charged.unit_price * charged.quantity:
                yield f"{item} of order {order_id}: {charged.total} is no total of its price"
    for (order_id, item), made in _made(facts).items():
        paid = _charged(facts, order_id).get(item)
        for one in made:
            total = Decimal(str(one["totalPrice"]))
            if paid is not None and one["fulfilled"] and total > paid.total:
                yield f"{item} of order {order_id} went out at {total}, paid {paid.total}"


def cancel_follows_confirm_once(facts: Facts) -> Iterator[str]:
    """A cancel takes effect once, after its confirm, if the order says that it is cancelled."""
    for key, one in facts.state.get("reservations", {}).items():
        if one["cancelled"] > 1:
            yield f"{one['cartItemId']} was cancelled {one['cancelled']} times"
        confirmed = [
            entry["n"] for entry in _entries(facts, "confirm")
            if entry["effect"] and _names(entry, key, one["cartItemId"])
        ]  # fmt: skip
        asked = [e["n"] for e in _entries(facts, "cancel") if _names(e, key, None)]
        if asked and not (confirmed and min(confirmed) < min(asked)):
            yield f"{one['cartItemId']} was cancelled before it was confirmed"
    made = _made(facts)
    for order_id, order in facts.orders.items():
        for item in order["items"]:
            there = made.get((order_id, item["cartItemId"]), ())
            really = any(one["cancelled"] for one in there)
            if item["status"] == "cancelled" and not really:
                yield f"{item['cartItemId']} is told to be cancelled, and is not"
            wanted = (order_id, item["cartItemId"]) in facts.to_cancel
            told = order.get("lastError")
            if item["status"] in ("confirmed", LEAVING) and (really or wanted) and not told:
                told = "is cancelled" if really else "was to be cancelled"
                yield f"{item['cartItemId']} {told}, and nobody is told"


def nothing_stays_reserved(facts: Facts) -> Iterator[str]:
    """Unbought reservations are released, except those that the shop cannot know of."""
    for item in facts.live - facts.may_lapse:
        yield f"{item} is still reserved at Rokt"
    for one in facts.state.get("reservations", {}).values():
        if one["state"] == "reserved" and one["cartItemId"] not in facts.may_lapse:
            yield f"{one['cartItemId']} was left reserved in the end"


def a_repeated_confirm_is_the_same(facts: Facts) -> Iterator[str]:
    """Each confirm has the bytes of its row. After one that may have acted, no other is sent."""
    first: dict[str, Mapping[str, Any]] = {}
    for entry in _entries(facts, "confirm"):
        body = entry["body"]
        order_id = body.get("orderId") if isinstance(body, dict) else None
        if not any(_is_of(entry, row.body, row.headers) for row in facts.confirms):
            yield f"call {entry['n']} is no confirm of the outbox"
        if order_id in first and not _same(first[order_id], entry):
            earlier = first[order_id]["n"]
            yield f"call {entry['n']} differs from call {earlier}, which may have acted"
        if order_id is not None and entry["status"] not in (401, 422, 429):
            first.setdefault(order_id, entry)


def the_shop_is_answered(facts: Facts) -> Iterator[str]:
    """Each response is in time, and a 5xx is a problem whose code says "unavailable"."""
    for step in facts.steps:
        if step.seconds > step.limit + SLACK:
            yield f"{step.name} took {step.seconds:.1f} s, its limit is {step.limit} s"
        clear = step.status == 503 and step.media_type == "application/problem+json" and step.code
        if step.status >= 500 and not clear:
            yield f"{step.name} was answered {step.status} {step.media_type}"


Invariant = Callable[[Facts], Iterator[str]]

INVARIANTS: Sequence[Invariant] = (
    the_fault_was_met,
    the_doctor_is_content,
    nothing_is_owed,
    nothing_is_fulfilled_twice,
    nothing_is_fulfilled_unpaid,
    nothing_is_bought_unreserved,
    what_was_paid_is_confirmed_or_refunded,
    nothing_is_refunded_needlessly,
    nothing_costs_more_than_seen_or_locked,
    cancel_follows_confirm_once,
    nothing_stays_reserved,
    a_repeated_confirm_is_the_same,
    the_shop_is_answered,
)


def _statuses(order: Mapping[str, Any]) -> set[str]:
    return {item["status"] for item in order["items"]}


def _made(facts: Facts) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Group the reservations that Rokt has sold by order and cart item."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in facts.state.get("reservations", {}).values():
        if one["orderId"] is not None:
            found.setdefault((one["orderId"], one["cartItemId"]), []).append(one)
    return found


def _charged(facts: Facts, order_id: str) -> dict[str, Charged]:
    return {one.cart_item_id: one for one in facts.paid.get(order_id, ())}


def _entries(facts: Facts, endpoint: str) -> Iterator[Mapping[str, Any]]:
    return (entry for entry in facts.journal if entry["endpoint"] == endpoint)


def _names(entry: Mapping[str, Any], reservation_id: str, cart_item_id: str | None) -> bool:
    """Tell whether a call is about a reservation, or buys its item by quantity."""
    body = entry["body"]
    if not isinstance(body, dict):
        return False
    if cart_item_id is None:
        return bool(body.get("itemReservationId") == reservation_id)
    return any(
        item.get("itemReservationId", reservation_id) == reservation_id
        and item.get("cartItemId") == cart_item_id
        for item in body.get("items", [])
    )


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    kept = ("content-length", "rokt-session-id", "accept-language")
    return one["body"] == other["body"] and all(
        one["headers"].get(name) == other["headers"].get(name) for name in kept
    )


def _is_of(entry: Mapping[str, Any], body: bytes, headers: Mapping[str, str]) -> bool:
    """Tell whether a call had the bytes of a row: the same JSON, of the same length."""
    sent = entry["headers"]
    return (
        entry["body"] == json.loads(body)
        and sent.get("content-length") == str(len(body))
        and all(sent.get(name.lower()) == value for name, value in headers.items())
    )


def _list(totals: Sequence[Decimal]) -> str:
    return ", ".join(map(str, totals)) or "nothing"

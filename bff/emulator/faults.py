"""The faults to come, by endpoint, and the reader of `PUT /_emulator/faults`.

The body is `{"reserve": [{"kind": "status", "status": 503, "times": 2}, …], …}`. It replaces all
faults. Each call of an endpoint uses one fault of its list, in order. `times` is 1 by default, and
null is for ever. The members by kind (a star marks optional ones):

- `delay`: `seconds`.
- `status`: `status`, `body`* (JSON or text; the documented error body by default), `html`*,
  `retryAfter`* (seconds, or the header's text).
- `drop`, `reset`: no members. The connection ends without a response.
- `hang`: `seconds`. Then the connection ends without a response.
- `malformed`, `html`, `wrong_types`: `body`*. A 200 with broken JSON, a page, or JSON of the wrong
  types.
- `truncate`, `drip` (`secondsPerByte`), `endless`: the real response, cut short, byte by byte, or
  without an end.
- `reject`: `catalogItemIds`, `cartItemIds` or `all: true`, `form`* (see `rejection.py`).
- `price`: `catalogItemId`, `unitPrice`. `no_stock`: `catalogItemIds`*. `grant_less`: `quantity`,
  `catalogItemIds`*.

`when`* is "before" or "after" the effect of the call. The default is "before" for delay, status,
drop, reset and hang, and "after" for malformed, html and wrong_types. The faults truncate, drip and
endless always come after the effect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, Literal

from bff.emulator.json_body import Node
from bff.emulator.rejection import ItemFault
from bff.emulator.settings import REJECTION_FORMS

Endpoint = Literal["any", "reserve", "confirm", "release", "cancel"]
ENDPOINTS: Final[tuple[Endpoint, ...]] = ("any", "reserve", "confirm", "release", "cancel")

When = Literal["before", "after"]
_WHENS: Final[tuple[When, ...]] = ("before", "after")

# kind: its members beside `kind` and `times`
MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "delay": ("seconds", "when"),
    "status": ("status", "body", "html", "retryAfter", "when"),
    "drop": ("when",),
    "reset": ("when",),
    "hang": ("seconds", "when"),
    "malformed": ("body", "when"),
    "html": ("body", "when"),
    "wrong_types": ("body", "when"),
    "truncate": (),
    "drip": ("secondsPerByte",),
    "endless": (),
    "reject": ("catalogItemIds", "cartItemIds", "all", "form"),
    "price": ("catalogItemId", "unitPrice"),
    "no_stock": ("catalogItemIds",),
    "grant_less": ("quantity", "catalogItemIds"),
}
AFTER: Final = frozenset({"malformed", "html", "wrong_types", "truncate", "drip", "endless"})
ON_THE_WIRE: Final = frozenset({"drop", "reset", "hang", "truncate", "drip", "endless"})
# The endpoints of each fault about items.
ITEM_KINDS: Final[Mapping[str, tuple[Endpoint, ...]]] = {
    "reject": ("reserve", "confirm"),
    "price": ("reserve", "confirm"),
    "no_stock": ("reserve", "confirm"),
    "grant_less": ("reserve",),
}
# Seconds. Longer than any client waits. A forgotten fault still ends.
LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `times` None is for ever."""

    kind: str
    times: int | None = 1
    when: When = "before"
    seconds: float = 0.0
    status: int = 500
    body: Any = None
    html: bool = False
    retry_after: str | None = None
    item_fault: ItemFault = field(default_factory=ItemFault)


class Faults:
    """The faults to come, by endpoint. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queues: dict[str, deque[tuple[Fault, int | None]]] = {}

    def replace(self, faults: Mapping[Endpoint, list[Fault]]) -> None:
        """Replace all faults."""
        with self._lock:
            self._queues = {
                endpoint: deque((fault, fault.times) for fault in queue)
                for endpoint, queue in faults.items()
            }

    def take(self, endpoint: str) -> Fault | None:
        """Remove and return the next fault of an endpoint, or None."""
        with self._lock:
            queue = self._queues.get(endpoint)
            if not queue:
                return None
            fault, left = queue.popleft()
            if left is None or left > 1:
                queue.appendleft((fault, None if left is None else left - 1))
            return fault

    def to_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return the faults to come as JSON."""
        with self._lock:
            return {
                endpoint: [{"kind": fault.kind, "times": left} for fault, left in queue]
                for endpoint, queue in self._queues.items()
            }


def read_faults(node: Node) -> dict[Endpoint, list[Fault]]:
    """Read the body of `PUT /_emulator/faults`.

    Raises:
        BadInputError: The body is invalid.
    """
    node.only(*ENDPOINTS)
    found: dict[Endpoint, list[Fault]] = {}
    for endpoint in ENDPOINTS:
        queue = node.get(endpoint)
        if queue is not None:
            found[endpoint] = [_read(one, endpoint) for one in queue.elements()]
    return found


def _read(node: Node, endpoint: Endpoint) -> Fault:
    kind = node.need("kind").choice(tuple(MEMBERS))
    node.only("kind", "times", *MEMBERS[kind])
    if endpoint not in ITEM_KINDS.get(kind, ENDPOINTS):
        node.need("kind").fail(f"{kind} is not possible for {endpoint}")
    members = node.members()
    times: int | None = 1
    if "times" in members:
        times = None if members["times"].value is None else members["times"].whole(1)
    when = node.get("when")
    default: When = "after" if kind in AFTER else "before"
    span = "secondsPerByte" if kind == "drip" else "seconds"
    seconds = node.need(span).seconds(LONGEST) if span in MEMBERS[kind] else 0.0
    body = node.get("body")
    html = node.get("html")
    return Fault(
        kind,
        times,
        default if when is None else when.choice(_WHENS),
        seconds,
        node.need("status").whole(200, 599) if kind == "status" else 500,
        None if body is None else body.value,
        html is not None and html.flag(),
        _retry_after(node.get("retryAfter")),
        _item_fault(node, kind),
    )


def _retry_after(node: Node | None) -> str | None:
    if node is None:
        return None
    text = node.text() if isinstance(node.value, str) else str(node.whole(0))
    if not text.isascii() or not text.isprintable():
        node.fail("must be printable ASCII, for a header")
    return text


def _item_fault(node: Node, kind: str) -> ItemFault:
    names = node.get("catalogItemIds")
    catalog_ids = frozenset(names.texts()) if names else frozenset[str]()
    match kind:
        case "reject":
            carts = node.get("cartItemIds")
            cart_ids = frozenset(carts.texts()) if carts else frozenset[str]()
            everything = node.get("all")
            if not (catalog_ids or cart_ids or (everything and everything.flag())):
                node.fail("needs catalogItemIds, cartItemIds or all: true")
            form = node.get("form")
            return ItemFault(
                "reject", catalog_ids, cart_ids, form.choice(REJECTION_FORMS) if form else None
            )
        case "price":
            one = frozenset({node.need("catalogItemId").text()})
            return ItemFault("price", one, unit_price=node.need("unitPrice").amount())
        case "no_stock":
            return ItemFault("no_stock", catalog_ids)
        case "grant_less":
            return ItemFault("grant_less", catalog_ids, quantity=node.need("quantity").whole(0))
    return ItemFault()

"""What of a call to Rokt may be shown to listeners: ids, amounts, states and error codes. Pure.

A request holds attributes (such as an e-mail address), further members of a confirm and a page's
address. Listeners see the names of these members; the values are masked.

Rokt's response may repeat anything that it was sent, anywhere. So it is not screened: what is shown
is built from the members that this package reads. An id is shown if the request had it, or if it
is a reservation's. A state or a code is shown if it looks like one and repeats nothing private.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bff.rokt.json_values import MAX_DEPTH, objects, texts

MASK = "\N{BULLET}\N{BULLET}\N{BULLET}"

# The members of each request that this package makes of ids and amounts. The shop makes the others.
_OURS: Mapping[str, frozenset[str]] = {
    "placements/any": frozenset({"cartId", "pageIdentifier"}),
    "reserve": frozenset({"cartId", "items", "isPayPalPayment", "merchantId"}),
    "confirm": frozenset({"cartId", "orderId", "items"}),
    "release": frozenset({"cartId", "items"}),
    "cancel": frozenset({"itemReservationId"}),
}

# The members of a response that are shown, by their kind.
_IDS = ("cartId", "orderId", "cartItemId", "catalogItemId", "itemReservationId")

_NUMBERS = ("quantity", "unitPrice", "totalPrice")

_WORDS = ("currency", "status", "state", "reservationStatus", "itemStatus", "code")

_FLAGS = ("result", "success", "reserved", "isReserved", "available", "isAvailable")

# Words with a number at the end, such as OUT_OF_STOCK or ERR-1042. Keys and handles differ.
_CODE = re.compile(
    r"[A-Za-z]{1,40}[0-9]{0,3}(?:[_.\-][A-Za-z]{1,40}[0-9]{0,3}){0,7}(?:[_.\-]?[0-9]{1,5})?"
    r"|[0-9]{1,5}"
)

# As in Rokt's reference: rokt_item_reservation_id.<guid>
_RESERVATION = re.compile(r"(?:[A-Za-z_]{1,40}\.)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}")

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,20}(?:Z|[+\-][0-9:]{4,6})?")

_WORD = re.compile(r"[^\W_]+")

# Shorter texts are in nearly every other text: "US", "1", "the".
_SHORTEST_PRIVATE = 4

_LONGEST_CODE = 64

# A cart has no more items by default, and no honest response has more errors.
_MOST_SHOWN = 100


def shown_request(call: str, body: Any) -> dict[str, Any]:
    """Return a request's body as listeners may see it: our own members, and the others' names."""
    if not isinstance(body, Mapping):
        return {}
    return {_name(name): _shown(call, name, value) for name, value in body.items()}


def shown_response(body: Any, request: Any, private: Collection[str]) -> dict[str, Any] | None:
    """Return a response's body as listeners may see it: its ids, amounts, states and codes.

    Args:
        body: The JSON of the body.
        request: The request's body, as ``shown_request`` returns it.
        private: Texts that must not be shown, see ``private_texts``.

    Returns:
        What may be shown; None if the body is not a JSON object.
    """
    if not isinstance(body, Mapping):
        return None
    ours = frozenset(texts(request)) - {MASK}
    folded = _folded(private)

    def read(found: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value for name, value in found.items() if _may_show(name, value, ours, folded)
        }

    shown = read(body)
    if "items" in body:
        shown["items"] = [read(item) for item in objects(body["items"])[:_MOST_SHOWN]]
    if "errors" in body:
        shown["errors"] = [
            read(error) | {"value": [one for one in texts(error.get("value")) if one in ours]}
            for error in objects(body["errors"])[:_MOST_SHOWN]
        ]
    return shown


def private_texts(call: str, body: Any) -> Iterator[str]:
    """Yield what ``shown_request`` masks in a body, so that a code that repeats it is found."""
    for name, value in body.items() if isinstance(body, Mapping) else ():
        if name == "url" and call == "placements/any" and isinstance(value, str):
            yield from _private_parts(value)
        elif name not in _OURS[call]:
            yield from _texts_and_names(value)


def is_code(text: str, private: Collection[str]) -> bool:
    """Tell whether an error's code may be shown: it looks like one, and repeats nothing private."""
    return _is_code(text, _folded(private))


def _shown(call: str, name: str, value: Any) -> Any:
    if name in _OURS[call]:
        return value
    if name == "url" and call == "placements/any" and isinstance(value, str):
        return _without_query(value)
    return {_name(one): MASK for one in value} if isinstance(value, Mapping) else MASK


def _name(name: str) -> str:
    """Return a member's name, masked if it looks like an e-mail address or other text."""
    return name if _NAME.fullmatch(name) else MASK


def _without_query(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    if not host:
        return parts.path if url.startswith("/") else MASK
    return f"{parts.scheme}://{host}{parts.path}"


def _private_parts(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        yield url
        return
    yield from filter(None, (parts.query, parts.fragment, parts.netloc.rpartition("@")[0]))
    yield from (value for _, value in parse_qsl(parts.query))


def _texts_and_names(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield every text and number in a JSON value, and every name that is masked."""
    if isinstance(value, Mapping):
        yield from (name for name in value if _name(name) == MASK)
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value if depth < MAX_DEPTH else ():
            yield from _texts_and_names(inner, depth + 1)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _may_show(name: str, value: Any, ours: Collection[str], private: Collection[str]) -> bool:
    """Tell whether a member of a response is known, and its value what it should be."""
    if isinstance(value, bool):
        return name in _FLAGS
    if isinstance(value, int | float):
        return name in _NUMBERS
    if not isinstance(value, str):
        return False
    if name in _WORDS:
        return _is_code(value, private)
    if name == "expirationDateTimeUtc":
        return bool(_TIME.fullmatch(value))
    return name in _IDS and (
        value in ours or (name == "itemReservationId" and bool(_RESERVATION.fullmatch(value)))
    )


def _folded(private: Collection[str]) -> frozenset[str]:
    return frozenset(text.casefold().strip() for text in private) - {""}


def _is_code(text: str, private: Collection[str]) -> bool:
    looks_so = len(text) <= _LONGEST_CODE and _CODE.fullmatch(text)
    return bool(looks_so) and not _repeats(text, private)


def _repeats(text: str, private: Collection[str]) -> bool:
    """Tell whether a text repeats a private one: whole, a word of it, or a long part of it."""
    if not private:
        return False
    text = text.casefold()
    words = set(_WORD.findall(text))
    telling = {word for word in words if len(word) >= _SHORTEST_PRIVATE}
    parts = [word for word in telling if len(word) >= 2 * _SHORTEST_PRIVATE]
    return any(
        one in words
        or (len(one) >= _SHORTEST_PRIVATE and one in text)
        or not telling.isdisjoint(_WORD.findall(one))
        or any(part in one for part in parts)
        for one in private
    )

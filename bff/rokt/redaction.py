"""What may be shown of a call to Rokt: who watches sees its form and no more of the shopper. Pure.

Bodies carry attributes (an e-mail address, say), further members of a confirm and the page's
address. Of these the names stay and the values are masked. Rokt's answer may repeat what it was
sent, now or before, wherever it likes: of it only documented members are shown, each only where it
looks as documented, and no sentence; of ids those that are ours or a reservation's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MASK = "\N{BULLET}\N{BULLET}\N{BULLET}"


# The members of each call that we make ourselves, of ids and amounts. All others are the shop's.
_OURS: Mapping[str, frozenset[str]] = {
    "placements/any": frozenset({"cartId", "pageIdentifier"}),
    "reserve": frozenset({"cartId", "items", "isPayPalPayment", "merchantId"}),
    "confirm": frozenset({"cartId", "orderId", "items"}),
    "release": frozenset({"cartId", "items"}),
    "cancel": frozenset({"itemReservationId"}),
}


# The members of an answer that say something of the call; by what kind of text they may have.
_IDS = frozenset({"cartId", "orderId", "cartItemId", "catalogItemId", "itemReservationId"})


_WORDS = frozenset({"code", "currency", "status", "state", "reservationStatus", "itemStatus"})


_TIMES = frozenset({"expirationDateTimeUtc"})


_NUMBERS = frozenset({"quantity", "unitPrice", "totalPrice"})


_FLAGS = frozenset({"result", "success", "reserved", "isReserved", "available", "isAvailable"})


_NESTED = frozenset({"items", "errors", "value"})


_SENTENCES = frozenset({"description", "message", "reason"})


_KNOWN = _IDS | _WORDS | _TIMES | _NUMBERS | _FLAGS | _NESTED | _SENTENCES


# Words with a number at the end, as in OUT_OF_STOCK or ERR-1042. Keys and handles look otherwise.
_CODE = re.compile(
    r"[A-Za-z]{1,40}[0-9]{0,3}(?:[_.\-][A-Za-z]{1,40}[0-9]{0,3}){0,7}(?:[_.\-]?[0-9]{1,5})?"
    r"|[0-9]{1,5}"
)


# As in the documentation: rokt_item_reservation_id.<guid>
_RESERVATION = re.compile(r"(?:[A-Za-z_]{1,40}\.)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}")


_MEMBER = re.compile(r"[A-Za-z_]{1,40}")


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,20}(?:Z|[+\-][0-9:]{4,6})?")


_WORD = re.compile(r"[^\W_]+")


# Shorter ones are in nearly everything: "US", "1", "the".
_TELLING = 4


# Nobody looks at more than that, and no honest call is deeper or longer.
_DEEPEST, _LONGEST = 32, 100


_LONGEST_CODE = 64


def mask_request(call: str, body: Any) -> Any:
    """Return a call's body as it may be shown; ``call`` is its name in the documentation."""
    if not isinstance(body, Mapping):
        return _masked(body)
    return {_name(name): _shown(call, name, value) for name, value in body.items()}


def mask_answer(answer: Any, asked: Any, private: Collection[str]) -> Any:
    """Return Rokt's answer as it may be shown.

    ``asked``: the request as ``mask_request`` has it; ``private``: what is not to be repeated.
    """
    ours = frozenset(text for text in _leaves(asked) if text != MASK)
    return _answer(answer, _Screen(ours, _folded(private)))


def private_texts(call: str, body: Any) -> Iterator[str]:
    """Yield what ``mask_request`` masks in a body, so that its echoes can be found."""
    if not isinstance(body, Mapping):
        return
    for name, value in body.items():
        if name == "url" and isinstance(value, str):
            yield from _private_parts(value)
        elif name not in _OURS[call]:
            yield from _leaves(value)


def is_code(text: str, private: Collection[str]) -> bool:
    """Tell whether an error's code may be shown: it looks like one, and echoes nothing."""
    return _is_code(text, _folded(private))


def _shown(call: str, name: str, value: Any) -> Any:
    if name in _OURS[call]:
        return value
    return _without_query(value) if name == "url" and isinstance(value, str) else _masked(value)


def _masked(value: Any, depth: int = 0) -> Any:
    """Return the form of a value: its names and how it is nested."""
    if depth > _DEEPEST:
        return MASK
    if isinstance(value, Mapping):
        return {_name(name): _masked(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner, depth + 1) for inner in value[:_LONGEST]]
    return MASK


def _name(name: object) -> str:
    """Return a member's name, but not when somebody made a name of an e-mail address."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else MASK


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


def _leaves(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield every text and number within, and each name that is masked."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        yield from (str(name) for name in value if _name(name) == MASK)
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, depth + 1)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _folded(private: Collection[str]) -> frozenset[str]:
    return frozenset(text.casefold().strip() for text in private) - {""}


def _echoes(text: str, private: Collection[str]) -> bool:
    """Tell whether a text repeats something private, whole, or a word or a long part of it."""
    if not private:
        return False
    text = text.casefold()
    words = set(_WORD.findall(text))
    telling = {word for word in words if len(word) >= _TELLING}
    parts = [word for word in telling if len(word) >= 2 * _TELLING]
    return any(
        one in words
        or (len(one) >= _TELLING and one in text)
        or not telling.isdisjoint(_WORD.findall(one))
        or any(part in one for part in parts)
        for one in private
    )


def _is_code(text: str, private: Collection[str]) -> bool:
    looks_so = len(text) <= _LONGEST_CODE and _CODE.fullmatch(text)
    return bool(looks_so) and not _echoes(text, private)


@dataclass(frozen=True, slots=True)
class _Screen:
    """What an answer is held against: ids that we named, and what is private."""

    ours: frozenset[str]
    private: frozenset[str] = field(repr=False)

    def may_show(self, name: str, value: Any) -> bool:
        """Tell whether a documented member's value is what it should be."""
        if value is None or isinstance(value, bool):
            return value is None or name in _FLAGS
        if isinstance(value, int | float):
            return name in _NUMBERS
        if not isinstance(value, str):
            return False
        if name in _TIMES:
            return bool(_TIME.fullmatch(value))
        if name in _WORDS:
            return _is_code(value, self.private)
        if name == "itemReservationId" and _RESERVATION.fullmatch(value):
            return True
        return name in (_IDS | {"value"}) and value in self.ours


def _answer(value: Any, screen: _Screen, depth: int = 0) -> Any:
    if depth > _DEEPEST or not isinstance(value, Mapping | list):
        return MASK
    if isinstance(value, list):
        return [_answer(inner, screen, depth + 1) for inner in value[:_LONGEST]]
    shown: dict[str, Any] = {}
    for name, inner in value.items():
        if name not in _KNOWN:
            shown[_member(name, screen.private)] = MASK
        elif name in _NESTED and isinstance(inner, Mapping | list):
            shown[name] = _answer(inner, screen, depth + 1)
        else:
            shown[name] = inner if screen.may_show(name, inner) else MASK
    return shown


def _member(name: str, private: Collection[str]) -> str:
    return name if _MEMBER.fullmatch(name) and not _echoes(name, private) else MASK

"""What the emulator is set to: who may call it, how it answers where Rokt is silent, what it sells.

`EmulatorSettings` is frozen. A change at run time makes a new one, and a reset goes back to the
first. Amounts are `Decimal` in the currency's main unit, times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, get_args

RejectionForm = Literal[
    "absent", "no_id", "smaller", "status", "error_value", "422_named", "422_all"
]
Repeat = Literal["ok", "error"]
ErrorValue = Literal["object", "id"]

REJECTION_FORMS: Final[tuple[RejectionForm, ...]] = get_args(RejectionForm)
REPEATS: Final[tuple[Repeat, ...]] = get_args(Repeat)
ERROR_VALUES: Final[tuple[ErrorValue, ...]] = get_args(ErrorValue)


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """One thing that can be offered; `stock` is what is free now, apart from what is held."""

    catalog_item_id: str
    name: str
    unit_price: Decimal
    description: str = ""
    currency: str = "USD"
    stock: int = 100
    min_item_count: int = 0
    max_item_count: int = 4
    preselected: int = 0
    offered: bool = True
    linked_product_id: str | None = None
    quantity_must_be_synchronized: bool | None = None
    provider_data: str | None = None
    image_alt: str | None = None
    refuse_cancel: bool = False


DEFAULT_CATALOG: Final[tuple[CatalogItem, ...]] = (
    CatalogItem(
        "parking.standard",
        "Standard parking",
        Decimal("12.50"),
        "A space in the north garage, five minutes' walk from the hall.",
        image_alt="A car in a marked space",
        provider_data='{"provider":"garage","lot":"north"}',
    ),
    CatalogItem(
        "parking.vip",
        "VIP parking",
        Decimal("20.00"),
        "A space beside the main entrance.",
        stock=20,
        max_item_count=2,
        image_alt="A car beside the main entrance",
        provider_data='{"provider":"garage","lot":"front"}',
    ),
    CatalogItem(
        "insurance.ticket",
        "Ticket insurance",
        Decimal("7.25"),
        "Your money back when you cannot come. One for every ticket.",
        stock=1000,
        max_item_count=10,
        linked_product_id="ticket.concert",
        quantity_must_be_synchronized=True,
        image_alt="A ticket under an umbrella",
    ),
    CatalogItem(
        "poster.souvenir",
        "Souvenir poster",
        Decimal("15.00"),
        "Printed for this evening only, picked up at the hall.",
        stock=5,
        image_alt="A rolled poster",
    ),
)


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """How the emulator behaves.

    api_key, tag_id: the only ones that are let in.
    reservation_seconds: how long a reservation holds stock and price. Rokt's own is unknown.
    rejection_form: how a reserve shows that an item was rejected (see `rejection.py`).
    rejection_status: the word in an item's `status` when the form is "status".
    error_value: an error names an item by an object with its ids, or by the bare cartItemId.
    repeat_confirm, repeat_release, repeat_cancel: the answer to the same call once more: "ok", the
        success again without a second effect; "error", a 422.
    confirm_needs_session: whether a confirm with items must carry `rokt-session-id`. The
        documentation calls it optional for a confirm without items and is silent about the rest.
    body_on_401: the documentation allows a 401 with no body.
    accept_unissued: take a cartItemId that no impression gave out when it ends in ":" and a known
        catalogItemId.
    placements: whether there is anything to show. max_total: the most items in one placement.
    catalog: what is sold at the start.
    """

    api_key: str = "emulator-key"
    tag_id: str = "emulator-tag"
    reservation_seconds: float = 600
    rejection_form: RejectionForm = "absent"
    rejection_status: str = "REJECTED"
    error_value: ErrorValue = "object"
    repeat_confirm: Repeat = "ok"
    repeat_release: Repeat = "error"
    repeat_cancel: Repeat = "ok"
    confirm_needs_session: bool = False
    body_on_401: bool = False
    accept_unissued: bool = True
    placements: bool = True
    max_total: int | None = None
    catalog: tuple[CatalogItem, ...] = DEFAULT_CATALOG

    def __post_init__(self) -> None:
        """Refuse what the emulator could not act on. Raises `ValueError`, naming the setting."""
        for name in ("api_key", "tag_id"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")
        words: tuple[tuple[str, tuple[str, ...]], ...] = (
            ("rejection_form", REJECTION_FORMS),
            ("error_value", ERROR_VALUES),
            ("repeat_confirm", REPEATS),
            ("repeat_release", REPEATS),
            ("repeat_cancel", REPEATS),
        )
        for name, known in words:
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}")
        if self.reservation_seconds < 0:
            raise ValueError("reservation_seconds must not be negative")

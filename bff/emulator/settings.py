"""The emulator's settings: its credentials, its behaviour where Rokt is silent, its catalogue.

`EmulatorSettings` is frozen. A change at run time makes a new one, and a reset goes back to the
first. Amounts are `Decimal` in the currency's main unit. Times are in seconds.
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
    """An item that can be offered. `stock` is the free stock, without what is reserved."""

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

    Attributes:
        api_key: The only key that is accepted.
        tag_id: The only tag that is accepted.
        reservation_seconds: How long a reservation lasts. Rokt's own time is unknown.
        rejection_form: How a reserve response shows a rejected item (see `rejection.py`).
        rejection_status: The `status` of a rejected item in the form "status".
        error_value: An error names an item by an object with its ids ("object"), or by the bare
            cartItemId ("id").
        repeat_confirm: The response to a repeated confirm: "ok" is the success again without a
            second effect, "error" a 422.
        repeat_release: The same for a repeated release.
        repeat_cancel: The same for a repeated cancel.
        confirm_needs_session: Whether a confirm with items needs `rokt-session-id`. The
            documentation calls it optional without items, and is silent about the rest.
        body_on_401: Whether a 401 has a body. The documentation allows both.
        accept_unissued: Accept a cartItemId that no impression issued, if it ends in ":" and a
            known catalogItemId.
        placements: Whether there is anything to show.
        max_total: The most items in one placement.
        catalog: The catalogue at the start.
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
        """Check the values.

        Raises:
            ValueError: A value is invalid. The message names the setting.
        """
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

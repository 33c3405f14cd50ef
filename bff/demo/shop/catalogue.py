"""What the demo sells: a concert, its tickets, and the offers of its partners.

The tickets are the shop's own. The offers are the emulator's catalogue, which stands for Rokt's.
The page gets them from the Web SDK, as in a real shop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from bff.emulator import CatalogItem

CURRENCY = "USD"
LOCALE = "en_US"
MAX_TICKETS = 8  # of one order, over all categories
AFTER_PAYMENT = "poster.evening"
EVENT_SKU = "ticket-last-ferry"  # stands for a ticket of any category


@dataclass(frozen=True, slots=True)
class Event:
    """The concert. Times are local at the venue, without a time zone, as on a ticket."""

    slug: str
    title: str
    artist: str
    venue: str
    city: str
    starts: datetime
    doors: time
    about: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """One category of tickets. ``price`` is for one ticket with fees."""

    sku: str
    name: str
    place: str
    price: Decimal
    left: int | None = None  # how many are left; None if there are enough


TICKETS: tuple[Ticket, ...] = (
    Ticket("ticket-stalls", "Stalls", "Seated, rows A to N", Decimal("64.00")),
    Ticket("ticket-balcony", "Balcony", "Seated, the whole stage in view", Decimal("48.00")),
    Ticket("ticket-standing", "Standing", "On the floor, close to the stage", Decimal("39.00")),
    Ticket(
        "ticket-captain", "Captain's table", "A table for four by the bar", Decimal("310.00"), 0
    ),
)

OFFERS: tuple[CatalogItem, ...] = (
    CatalogItem(
        "parking.quay",
        "Evening parking",
        Decimal("12.50"),
        "A space in the Alder Quay garage, four minutes on foot from the hall. "
        "Drive in from 5 pm, stay until 2 am.",
        stock=40,
        max_item_count=4,
        image_alt="A car in a marked space",
        provider_data='{"provider":"alder-quay","lot":"east"}',
    ),
    CatalogItem(
        "parking.front",
        "Front-door parking",
        Decimal("24.00"),
        "One of twelve spaces beside the entrance. Step-free to the foyer.",
        stock=12,
        max_item_count=1,
        image_alt="A car beside a lit entrance",
        provider_data='{"provider":"alder-quay","lot":"front"}',
    ),
    CatalogItem(
        "insurance.ticket",
        "Ticket protection",
        Decimal("4.75"),
        "Your money back if illness or the weather keeps you at home. One for every ticket.",
        stock=1000,
        max_item_count=MAX_TICKETS,
        linked_product_id=EVENT_SKU,
        quantity_must_be_synchronized=True,
        image_alt="A ticket under an umbrella",
    ),
    # For the thanks page only: an instant purchase after payment.
    CatalogItem(
        AFTER_PAYMENT,
        "Concert poster",
        Decimal("18.00"),
        "Letterpress, two colors, made for this one evening. Waiting for you at the cloakroom.",
        stock=60,
        offered=False,
        max_item_count=1,
        image_alt="A poster with a ferry and a lantern",
        provider_data='{"provider":"alder-quay","shelf":"posters"}',
    ),
)


def the_event(today: date) -> Event:
    """Return the concert, on a Saturday about six weeks ahead."""
    day = today + timedelta(days=40)
    day += timedelta(days=(5 - day.weekday()) % 7)
    return Event(
        slug="last-ferry-home",
        title="Last Ferry Home",
        artist="Nora Vale & the Lanterns",
        venue="Alder Quay Hall",
        city="Portland, Maine",
        starts=datetime.combine(day, time(20, 0)),
        doors=time(19, 0),
        about="Songs for the hour when the harbor lights come on: a piano, a double bass, "
        "two voices and a brass section that walks in from the back of the hall.",
    )


def ticket(sku: str) -> Ticket | None:
    """Return the category with this SKU, or None."""
    return next((one for one in TICKETS if one.sku == sku), None)

"""rokt-bff: the server half of Rokt's upsell on a shop's checkout page. See README.md.

The public names; everything else may change.
"""

from bff.cart.order import Order, OrderStatus
from bff.cart.quote import PriceChange, Quote, Rejected
from bff.cart.shown_cart import Cart, Item
from bff.config.settings import Settings
from bff.errors import (
    BffError,
    ConfigError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    SchemaMismatch,
    StoreUnavailable,
    Unauthorized,
)
from bff.extension.signals import (
    upsell_call_made,
    upsell_cart_changed,
    upsell_confirmed,
    upsell_refund_needed,
)
from bff.extension.upsells import Upsells
from bff.rokt.placements import Placements
from bff.web.scripts import directory

__all__ = [
    "BffError",
    "Cart",
    "ConfigError",
    "Conflict",
    "Forbidden",
    "InvalidInput",
    "Item",
    "NotFound",
    "Order",
    "OrderStatus",
    "Placements",
    "PriceChange",
    "Quote",
    "RateLimited",
    "Rejected",
    "SchemaMismatch",
    "Settings",
    "StoreUnavailable",
    "Unauthorized",
    "Upsells",
    "directory",
    "upsell_call_made",
    "upsell_cart_changed",
    "upsell_confirmed",
    "upsell_refund_needed",
]

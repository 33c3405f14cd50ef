"""rokt-bff: the server half of Rokt's upsell on a shop's checkout page. See README.md.

The public names; everything else may change.
"""

from bff.assets import directory
from bff.config import Settings
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
from bff.extension import Upsells
from bff.shapes import (
    Cart,
    Item,
    Order,
    OrderStatus,
    Placements,
    PriceChange,
    Quote,
    Rejected,
)
from bff.signals import (
    upsell_call_made,
    upsell_cart_changed,
    upsell_confirmed,
    upsell_refund_needed,
)

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

"""A ticket shop with a parking upsell: an ordinary Flask shop on the public API of ``bff``."""

from .app import create_demo
from .run import run

__all__ = ["create_demo", "run"]

"""A ticket shop with a parking upsell: an ordinary Flask shop on the public API of ``bff``."""

from bff.demo.app import create_demo
from bff.demo.run import run

__all__ = ["create_demo", "run"]

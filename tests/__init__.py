"""The tests, in folders by what a test needs: see "The code" in the README."""

from pathlib import Path

# The top of the checkout.
TOP = Path(__file__).resolve().parent.parent

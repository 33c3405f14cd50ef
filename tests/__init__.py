"""The tests, in folders by what a test needs: see the README, \"The code\"."""

from pathlib import Path

# The top of the checkout.
TOP = Path(__file__).resolve().parent.parent

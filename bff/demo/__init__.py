"""A ticket shop with a parking upsell: an ordinary Flask shop on the public API of ``bff``.

Read in this order:

- ``shopper.py``: the name of a browser in Flask's session.
- ``timeline/``: what goes between the page, the server and Rokt, for the panel.
- ``shop/``: the ticket shop, Quayside.
- ``csp.py``: the Content-Security-Policy of all pages.
- ``partner/``: a second shop in plain Python, on another origin.
- ``second_origin.py``: the settings with which the partner uses the BFF.
- ``app.py``: builds the Flask app of the shop.
- ``run.py``: starts emulator, shop and partner.

The Cart API's emulator is ``bff.emulator``. Pages and scripts are in ``templates/demo`` and
``static/demo``.
"""

from bff.demo.app import create_demo
from bff.demo.run import run

__all__ = ["create_demo", "run"]

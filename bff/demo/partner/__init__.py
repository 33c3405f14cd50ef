"""The Ropewalk, a partner's shop on another origin: plain Python, no Flask, nothing of ``bff``.

A shop in any language does the same. The page loads ``bridge.js`` and the SDK from elsewhere, and
keeps a handle instead of a cookie. The backend calls the BFF's server endpoints.

Read in this order:

- ``bookings.py``: the seats, the forms, and the orders in memory.
- ``client.py``: the client of the BFF's HTTP API.
- ``texts.py``: what shoppers read. Pure.
- ``pages.py``: HTML from templates. Pure.
- ``shop.py``: the pages and forms by path.
- ``server.py``: the HTTP server.
"""

from bff.demo.partner.server import PartnerServer
from bff.demo.partner.shop import Partner

__all__ = ["Partner", "PartnerServer"]

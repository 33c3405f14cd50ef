"""A partner's shop on another origin, with a backend in plain Python: no Flask, nothing of ``bff``.

It is what a shop in any language does. The page loads ``bridge.js`` and Rokt's SDK from
elsewhere and keeps a handle, no cookie; the backend talks to the BFF's server endpoints.
"""

from bff.demo.partner.server import PartnerServer
from bff.demo.partner.shop import Partner

__all__ = ["Partner", "PartnerServer"]

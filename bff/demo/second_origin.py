"""Sets up the partner's shop on a second origin.

The demo plays the BFF's operator. It allows the partner's origin, and gives the partner a server
key, the script tags and the Content-Security-Policy.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Mapping
from typing import Any

from bff import Upsells, directory
from bff.demo.csp import policy
from bff.demo.partner import Partner, PartnerServer

# Another host, so browsers treat it as another site and the shop's cookies as third-party ones.
# macOS has only the first loopback address. There the port alone makes it another origin.
HOST = "127.0.0.2"
PORT = 8082
_FALLBACK = "127.0.0.1"

_LAUNCHER = (
    '<script async crossorigin="anonymous" id="rokt-launcher" '
    'src="https://apps.rokt.com/wsdk/integrations/launcher.js"></script>'
)
_STAND_IN = (
    '<script type="module" async id="rokt-launcher" '
    'src="{emulator}/_emulator/sdk/rokt-stand-in.js" '
    'data-offers="{emulator}/_emulator/offers" data-heading="Add to your evening"></script>'
)


def take_address(host: str, port: int) -> PartnerServer:
    """Bind the partner's address.

    Raises:
        OSError: The address cannot be bound.
    """
    try:
        return PartnerServer(host, port)
    except OSError as error:
        if host != HOST or error.errno != errno.EADDRNOTAVAIL:
            raise
        return PartnerServer(_FALLBACK, port)


def settings_for(origin: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that let the partner at ``origin`` use a BFF of this ``config``."""
    origins = config.get("ROKT_BFF_ORIGINS") or ()
    listed = origins.split(",") if isinstance(origins, str) else origins
    return {
        "ROKT_BFF_ORIGINS": (*listed, origin),
        "ROKT_BFF_SERVER_KEY": config.get("ROKT_BFF_SERVER_KEY") or secrets.token_hex(32),
    }


def partner_of(upsells: Upsells, shop_url: str, emulator_url: str) -> Partner:
    """Return the settings of the partner's shop. Needs an app context.

    Args:
        upsells: The BFF that the partner uses.
        shop_url: Where the BFF's app is served.
        emulator_url: Where the emulator runs; empty if the shops call Rokt itself.
    """
    settings = upsells.settings
    bff = shop_url + settings.url_prefix

    def bridge_tags() -> str:
        scripts = ("bridge.js", "bridge-notices.js")
        return "\n".join(upsells.script_tag(bff, one, preload=True) for one in scripts)

    return Partner(
        bff=bff,
        origin=settings.origins[-1],  # see ``settings_for``
        server_key=settings.server_key,
        bridge_tags=bridge_tags,
        sdk_tag=_LAUNCHER if settings.account_id else _STAND_IN.format(emulator=emulator_url),
        account_id=settings.account_id,
        sandbox=settings.sandbox,
        policy=policy(upsells.csp(shop_url), trusted_types=not settings.account_id),
        templates=directory("templates") / "demo" / "partner",
        static=directory("static") / "demo" / "partner",
        about=f"{shop_url}/timeline/partner",
    )

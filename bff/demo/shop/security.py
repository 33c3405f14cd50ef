"""The strict Content-Security-Policy of the demo's pages, the shop's and the partner's. Pure.

Nothing inline, no eval, and with the stand-in no way from a text to markup or script at all
(Trusted Types). Added to it is what ``upsells.csp()`` says that the upsell needs.
"""

from __future__ import annotations

from collections.abc import Mapping

SELF = "'self'"
_OWN: Mapping[str, tuple[str, ...]] = {
    "default-src": ("'none'",),
    "script-src": (SELF,),
    "style-src": (SELF,),
    "img-src": (SELF,),
    "connect-src": (SELF,),
    "form-action": (SELF,),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
}
_TRUSTED_TYPES: Mapping[str, tuple[str, ...]] = {
    "require-trusted-types-for": ("'script'",),
    "trusted-types": ("'none'",),
}


def policy(needed: Mapping[str, tuple[str, ...]], *, trusted_types: bool) -> str:
    """Spell the header's value: the demo's own rules and the sources that the upsell ``needed``.

    ``trusted_types``: not with Rokt's own SDK, of which it is not known to keep to them.
    """
    rules = {**_OWN, **(_TRUSTED_TYPES if trusted_types else {})}
    for directive, sources in needed.items():
        own = (one for one in rules.get(directive, ()) if one != "'none'")
        rules[directive] = tuple(dict.fromkeys((*own, *sources)))
    return "; ".join(" ".join((directive, *allowed)) for directive, allowed in rules.items())

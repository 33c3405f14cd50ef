"""The Content-Security-Policy of the demo's pages: the shop's and the partner's. Pure.

It allows nothing inline and no eval. With the stand-in it requires Trusted Types, so that no text
can become markup or script. ``upsells.csp()`` gives the sources that the upsell needs on top.
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
    """Return the header's value.

    Args:
        needed: The sources that the upsell needs, by directive.
        trusted_types: Whether to require Trusted Types. Rokt's own SDK may not support them.
    """
    rules = {**_OWN, **(_TRUSTED_TYPES if trusted_types else {})}
    for directive, sources in needed.items():
        own = (one for one in rules.get(directive, ()) if one != "'none'")
        rules[directive] = tuple(dict.fromkeys((*own, *sources)))
    return "; ".join(" ".join((directive, *allowed)) for directive, allowed in rules.items())

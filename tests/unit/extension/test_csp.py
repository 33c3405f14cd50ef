"""What a page with the upsell must allow in its Content-Security-Policy."""

from __future__ import annotations

import pytest

from bff.config.settings import Settings
from bff.extension.csp import sources

ROKT = "https://apps.rokt.com"
API = "https://api.rokt.com"
PARTNER = "https://upsell.example"


def settings(**more: str) -> Settings:
    return Settings(api_key="key", tag_id="tag", **more)  # type: ignore[arg-type]


def test_with_an_account_rokts_script_frames_images_and_both_its_hosts_are_allowed() -> None:
    assert sources(settings(account_id="2754655826098840951")) == {
        "script-src": ("'self'", ROKT),
        "frame-src": (ROKT,),
        "connect-src": ("'self'", ROKT, API),
        "img-src": (ROKT,),
    }


def test_the_api_host_is_that_of_the_settings_and_its_origin_only() -> None:
    elsewhere = settings(account_id="1", api_url="https://sandbox.rokt.example:8443/v2")
    assert sources(elsewhere)["connect-src"] == (
        "'self'",
        ROKT,
        "https://sandbox.rokt.example:8443",
    )


def test_a_partner_s_page_allows_the_bff_s_origin_in_place_of_its_own() -> None:
    allowed = sources(settings(account_id="1"), PARTNER)
    assert allowed["script-src"] == (PARTNER, ROKT)
    assert allowed["connect-src"] == (PARTNER, ROKT, API)


def test_without_an_account_rokt_is_not_allowed_at_all() -> None:
    assert sources(settings()) == {"script-src": ("'self'",), "connect-src": ("'self'",)}


def test_on_an_emulator_its_stand_in_is_allowed() -> None:
    emulator = "http://127.0.0.1:8081"
    assert sources(settings(api_url=emulator)) == {
        "script-src": ("'self'", emulator),
        "connect-src": ("'self'", emulator),
        "style-src": (emulator,),
    }


@pytest.mark.parametrize("account", ["", "1"])
def test_nothing_unsafe_and_no_pattern_is_among_them(account: str) -> None:
    for allowed in sources(settings(account_id=account)).values():
        assert all("unsafe" not in one and "*" not in one for one in allowed)

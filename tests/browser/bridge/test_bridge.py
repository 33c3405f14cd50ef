"""The bridge in a real browser, on the shop's own origin and on a partner's: issue by issue.

Real are the browser, the BFF and its database, the emulator; the SDK is its stand-in. Where the
network misbehaves, Playwright or a gate before the server is what misbehaves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlalchemy import select

from bff.store.tables import sessions
from bff.web.runtime import runtime
from tests.browser.pages.network import Network
from tests.browser.pages.site import ORIGINS, Site, running_site
from tests.browser.pages.tab import Tab, watch_page
from tests.support.browser import ARGUMENTS, find_chromium, pictured

pytestmark = pytest.mark.browser

GENERATIONS = ("tag", "plus", "legacy", "first", "second", "all")
NO_PATIENCE_MS = 3000  # for so long the guard holds a shopper, at most


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(params=ORIGINS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def site(running: Site) -> Site:
    running.forget()
    return running


@pytest.fixture
def tab(site: Site, kind: str, page: Page, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """A shopper's tab; at the end the page's policy was kept, and no error was left to the page."""
    problems = watch_page(page)
    yield Tab(page, site, kind)
    with pictured(page.context, request.node.name):
        assert not problems


@pytest.fixture
def network(tab: Tab) -> Network:
    return Network(tab.page.context, tab.site)


def another(tab: Tab) -> Tab:
    """A second tab of the same shopper."""
    return Tab(tab.page.context.new_page(), tab.site, tab.kind)


# ---- Every generation --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "sdk"),
    [
        *(("shop", sdk) for sdk in GENERATIONS),
        *(("partner", sdk) for sdk in ("tag", "plus", "legacy")),
    ],
)
def test_each_generation_counts_each_change_once(tab: Tab, sdk: str) -> None:
    tab.open(sdk)
    tab.press("more")
    tab.settle()
    tab.press("more")
    tab.settle()
    tab.press("add", "poster")
    tab.press("less", "poster")
    tab.press("add", "sticker")
    tab.shows(parking=2, sticker=1)
    told = [(one["updatedItem"] or {"quantity": 0})["quantity"] for one in tab.updates]
    assert told in ([1, 2, 1, 0, 1], [1, 2, 0, 1], [1, 2, 1, 1]), "or coalesced, never more"
    assert tab.heard("refused") == []


def test_the_sdks_session_reaches_rokt(tab: Tab) -> None:
    tab.open()
    tab.press("more")
    tab.settle()
    told = tab.page.evaluate("selection.context.sessionId")
    with runtime(tab.site.app).store.read() as connection:
        [held] = connection.execute(select(sessions.c.rokt_session_id)).scalars()
    assert held == told


def test_one_tag_is_enough_and_the_sdk_may_come_later(tab: Tab) -> None:
    late: list[Route] = []
    tab.page.route("**/rokt-stand-in.js", lambda route: late.append(route))
    tab.page.goto(f"{tab.site.origin(tab.kind)}/?sdk=tag", wait_until="commit")
    tab.until(lambda: bool(late) and bool(tab.page.evaluate("Boolean(window.bridge)")))
    late[0].continue_()
    tab.wait()
    tab.press("more", times=2)
    tab.shows(parking=2)


# ---- No lost click -----------------------------------------------------------------------------


def test_what_is_unsent_survives_a_reload_and_goes_out_in_order(tab: Tab) -> None:
    tab.open()
    tab.press("more", "sticker")
    tab.settle()
    with tab.site.gate.down():
        tab.press("more", "parking", times=2)
        tab.press("more", "poster")
        tab.press("less", "sticker")
        tab.reload()
        tab.press("more", "poster", times=2)
        assert tab.site.held() == {"sticker": 1}
        before = len(tab.updates)
    tab.shows(parking=2, poster=2)
    arrived = tab.updates[before:]
    first, last = arrived[0]["page"], arrived[-1]["page"]
    assert first != last
    order = [(one["page"] == last, one["seq"]) for one in arrived]
    assert order == sorted(order)


def test_an_offline_spell_loses_nothing(tab: Tab) -> None:
    tab.open()
    tab.press("more", "sticker")
    tab.settle()
    context = tab.page.context
    context.set_offline(True)
    tab.press("more", times=3)
    tab.press("more", "poster")
    tab.press("less", "sticker")
    tab.until(lambda: len(tab.updates) > 1)
    assert tab.site.held() == {"sticker": 1}
    context.set_offline(False)
    tab.shows(parking=3, poster=1)
    taken = [one["updatedItem"]["quantity"] for one in tab.updates if one["updatedItem"]]
    assert 2 not in taken, "of what waits for one item the last counts"


def test_an_answer_that_is_lost_is_asked_for_again_and_counts_once(
    tab: Tab, network: Network
) -> None:
    tab.open()
    tab.press("more", "sticker")
    tab.settle()
    network.lose_answers()
    tab.press("more")
    tab.until(lambda: tab.site.held() == {"sticker": 1, "parking": 1}, tab.site.held)
    tab.press("less", "sticker")
    network.mend()
    tab.shows(parking=1)


def test_leaving_right_after_a_click_loses_nothing(tab: Tab) -> None:
    tab.open()
    tab.press("more", "sticker")
    tab.settle()
    with tab.site.gate.closed():
        tab.press("more")
        tab.press("more", "poster", times=2)
        tab.press("less", "sticker")
        # Not by the link, which the guard would hold.
        tab.page.evaluate("location.assign('/next')")
        tab.page.wait_for_url("**/next")
        assert tab.site.held() == {"sticker": 1}
    tab.until(lambda: tab.site.held() == {"parking": 1, "poster": 2}, tab.site.held)


def test_leaving_before_there_is_a_session_keeps_the_click_for_the_next_page(tab: Tab) -> None:
    tab.open()
    with tab.site.gate.closed():
        tab.press("more")
        tab.press("more", "poster")
        tab.page.evaluate("location.assign('/next')")
        tab.page.wait_for_url("**/next")
    tab.open()
    tab.shows(parking=1, poster=1)


@pytest.mark.parametrize("kind", ["shop"])
def test_an_update_that_a_login_overtakes_arrives_after_it(tab: Tab) -> None:
    gate = tab.site.gate
    tab.open()
    tab.press("more")
    tab.settle()
    before = tab.handle()
    with gate.keeping() as late:
        tab.press("more", "poster")
        tab.until(lambda: gate.waiting == 1)
    try:
        tab.page.evaluate("fetch('/login', { method: 'POST' })")
        tab.until(lambda: tab.handle() != before)
        after = tab.handle()
    finally:
        late.set()
    tab.settle()
    tab.shows(parking=1, poster=1)
    assert tab.handle() == after


def test_leaving_while_the_first_update_is_on_its_way_starts_no_second_session(tab: Tab) -> None:
    gate = tab.site.gate
    tab.open()
    with gate.keeping() as late:
        tab.press("more")
        tab.until(lambda: gate.waiting == 1)
    try:
        tab.reload()  # sends it again, beside the one that nobody waits for any more
        tab.shows(parking=1)
        tab.press("more", "poster")
        tab.shows(parking=1, poster=1)
    finally:
        late.set()
    tab.until(lambda: gate.waiting == 0)
    tab.reload()
    tab.shows(parking=1, poster=1)


FORM = """() => {
  const form = document.createElement("form");
  form.action = "/next";
  form.append(document.createElement("button"));
  document.body.append(form);
  return bridge.guard(form);
}"""


NOTE_FREED = """([control, event]) => {
  const guarded = document.querySelector(control).closest("a, form");
  guarded.addEventListener(event, () => { window.free = true; });
}"""


@pytest.mark.parametrize(("control", "event"), [("#continue", "click"), ("form button", "submit")])
def test_the_guard_holds_a_shopper_until_all_is_stored(tab: Tab, control: str, event: str) -> None:
    tab.open()
    tab.press("more", "sticker")
    tab.settle()
    tab.page.evaluate(FORM)
    tab.page.evaluate(NOTE_FREED, [control, event])
    with tab.site.gate.closed():
        tab.press("more")
        tab.page.locator(control).dispatch_event("click")
        tab.until(lambda: len(tab.updates) == 2)
        assert not tab.page.evaluate("Boolean(window.free)")
    tab.page.wait_for_url("**/next*")
    assert tab.site.held() == {"sticker": 1, "parking": 1}


@pytest.mark.parametrize("script", ["bridge.js", "rokt-stand-in.js"])
def test_a_script_that_does_not_come_blocks_nobody(
    site: Site, kind: str, page: Page, script: str
) -> None:
    page.route(f"**/{script}", lambda route: route.abort())
    with page.expect_event("requestfailed", lambda sent: sent.url.endswith(script)):
        page.goto(f"{site.origin(kind)}/?sdk=tag")
    page.locator("#continue").click()
    page.wait_for_url("**/next")


def test_the_guard_lets_a_shopper_go_when_the_server_hangs(tab: Tab) -> None:
    clock = tab.page.clock
    clock.install()
    tab.open("tag")
    tab.press("more", "sticker")
    tab.settle()
    with tab.site.gate.closed():
        tab.press("more")
        tab.until(lambda: len(tab.updates) == 2)
        clock.pause_at(tab.page.evaluate("Date.now() / 1000") + 1)
        tab.page.evaluate("() => { document.links[0].onclick = () => { free = true; }; }")
        tab.page.locator("#continue").click()
        clock.run_for(NO_PATIENCE_MS - 1)
        assert not tab.page.evaluate("Boolean(window.free)")
        clock.run_for(1)
        tab.page.wait_for_url("**/next")


# ---- Both directions ---------------------------------------------------------------------------


def test_a_refused_change_sets_the_placement_back(tab: Tab) -> None:
    tab.open()
    tab.press("more", times=2)
    tab.settle()
    tab.fill("2.5")
    tab.until(lambda: len(tab.heard("notice")) == 1, lambda: tab.heard("refused"))
    tab.shows(parking=2)
    [problem] = tab.heard("refused")
    assert problem["status"] == 422


@pytest.mark.parametrize("sdk", ["tag", "legacy"])
def test_what_is_held_is_shown_after_a_reload_and_does_not_echo(tab: Tab, sdk: str) -> None:
    tab.open(sdk)
    tab.press("more", times=2)
    tab.press("more", "poster")
    tab.settle()
    told = len(tab.updates)
    tab.reload()
    tab.shows(parking=2, poster=1)
    tab.settle()
    again = [one["updatedItem"] for one in tab.updates[told:]]
    # A restored item may be told of under its new id, so that its line is re-keyed; no more.
    told_of = {(one["catalogItemId"], one["quantity"]) for one in again}
    assert told_of <= {("parking", 2), ("poster", 1)}
    tab.press("more", "sticker")
    tab.shows(parking=2, poster=1, sticker=1)
    tab.settle()
    assert len(tab.updates) == told + len(again) + 1


def test_an_id_that_the_placement_does_not_know_any_more_keeps_its_line(tab: Tab) -> None:
    """The second generation cannot be asked for an item before it was told of its new id."""
    tab.open("second")
    tab.press("more", times=2)
    tab.settle()
    told = len(tab.updates)
    tab.reload()
    tab.settle()
    assert tab.views() == [{}, {"parking": 2}, {"parking": 2}]
    assert len(tab.updates) == told
    tab.press("more")
    tab.shows(parking=1)


def test_what_the_placement_will_not_show_keeps_no_click_from_counting(tab: Tab) -> None:
    """Asked for more than its maximum it says nothing, so that no echo ever comes."""
    tab.open("second")
    tab.press("more")
    tab.settle()
    [update] = tab.updates
    held = {**update["updatedItem"], "quantity": 5, "totalPrice": 62.5}
    tab.page.evaluate("(held) => bridge.updateItemCallback(held, null)", held)
    tab.until(lambda: tab.site.held() == {"parking": 5}, tab.site.held)
    tab.settle()
    assert tab.views() == [{"parking": 1}, {"parking": 5}, {"parking": 5}]
    tab.press("more")
    tab.shows(parking=2)


def test_a_preselected_item_that_was_taken_out_stays_out(tab: Tab) -> None:
    tab.site.rokt.put("catalog", {"items": [{"catalogItemId": "poster", "preselected": 1}]})
    tab.open()
    tab.shows(poster=1)
    tab.press("less", "poster")
    tab.press("more")
    tab.shows(parking=1)
    tab.reload()
    tab.shows(parking=1)


def test_a_preselected_item_can_be_taken_out_before_the_cart_was_read(tab: Tab) -> None:
    """The server holds it under an id of the last visit, which the page cannot know yet."""
    tab.site.rokt.put("catalog", {"items": [{"catalogItemId": "poster", "preselected": 1}]})
    tab.open()
    tab.press("more", "poster")
    tab.shows(poster=2)
    with tab.site.gate.closed():
        tab.reload()
        tab.press("less", "poster")
    tab.shows()


def test_two_tabs_converge(tab: Tab) -> None:
    other = another(tab)
    tab.open()
    other.open()
    tab.press("more", times=2)
    other.shows(parking=2)
    other.press("less")
    other.press("more", "poster")
    tab.shows(parking=1, poster=1)
    tab.press("less")
    other.shows(poster=1)
    tab.shows(poster=1)


def test_answers_that_come_in_the_wrong_order_do_not_bring_back_an_older_cart(
    tab: Tab, network: Network
) -> None:
    other = another(tab)
    tab.open()
    other.open()
    tab.press("more", "sticker")
    other.shows(sticker=1)
    network.keep_answers()
    tab.press("more")
    tab.until(lambda: len(network.kept) == 1)
    other.press("more", "poster")
    tab.until(lambda: len(network.kept) == 2)
    network.mend()
    network.swap()
    for one in (tab, other):
        one.settle()
        one.shows(sticker=1, parking=1, poster=1)


# ---- What cannot be had, and what follows ------------------------------------------------------


@pytest.mark.parametrize(("change", "told"), [
    ({"stock": 0}, "Poster is not available. It is not in your order."),
    ({"unitPrice": 12.0}, "Poster now costs $12.00 each."),
])  # fmt: skip
def test_what_cannot_be_had_is_taken_back_in_the_placement_and_told(
    tab: Tab, change: dict[str, Any], told: str
) -> None:
    tab.open("tag")
    tab.press("more", "poster", times=2)
    tab.press("more")
    tab.settle()
    tab.site.rokt.put("catalog", {"items": [{"catalogItemId": "poster", **change}]})
    quote = tab.page.evaluate("bridge.reserve()")
    assert [item["catalogItemId"] for item in quote["items"]] == ["parking"]
    tab.until(lambda: tab.placement() == {"parking": 1}, tab.placement)
    expect(tab.page.get_by_role("status").filter(has_text=told)).to_have_id("notices")
    tab.settle()
    assert len(tab.heard("notice")) == 1
    # The line stays, for the shopper to decide.
    assert tab.site.held() == {"parking": 1, "poster": 2}


def test_a_linked_item_follows_the_shops_own_cart(tab: Tab) -> None:
    def sync(**products: int) -> None:
        runtime(tab.site.app).checkout.sync_products(tab.handle(), products)
        tab.page.evaluate("bridge.refresh()")

    tab.open()
    tab.press("more", "cover")
    tab.press("more")
    tab.shows(cover=1, parking=1)
    sync(ticket=3)
    tab.shows(cover=3, parking=1)
    tab.press("more", "cover")
    tab.shows(cover=3, parking=1)
    sync(program=1)
    tab.shows(parking=1)


def test_one_press_after_the_payment_is_reserved_charged_and_confirmed(tab: Tab) -> None:
    tab.open("tag")
    tab.press("more")
    tab.settle()
    tab.open("tag", "checkout.confirmation")
    tab.page.locator("[data-catalog-item=poster] [data-rokt=buy]").click()
    expect(tab.page.locator("[data-catalog-item=poster]")).to_contain_text("Bought")
    [confirm] = tab.site.rokt.journal("?endpoint=confirm")
    [sold] = confirm["body"]["items"]
    assert (sold["catalogItemId"], sold["quantity"]) == ("poster", 1)
    assert tab.site.held() == {"parking": 1}, "what was held is not bought with it"


# ---- Other origins, and the page's own load ----------------------------------------------------


def test_a_partner_page_needs_no_cookie(
    site: Site, browser: Browser, context: BrowserContext, tmp_path: Path
) -> None:
    """Once in a browser that blocks a third party's cookies, once in one that lets them through."""
    tab = Tab(context.new_page(), site, "partner")
    block_third_parties(tab.page)
    tab.open("tag")
    tab.press("more", times=2)
    tab.shows(parking=2)
    tab.reload()
    tab.shows(parking=2)
    assert context.cookies() == []
    assert site.gate.cookies == []
    assert not travels(context, tab)
    with allowing(browser, tmp_path) as profile:
        tab = Tab(profile.new_page(), site, "partner")
        tab.open("tag")
        assert travels(profile, tab)


def block_third_parties(page: Page) -> None:
    """Block a third party's cookies: Chromium does so by itself, its headless shell when told."""
    blocked = {
        "enableThirdPartyCookieRestriction": True,
        "disableThirdPartyCookieMetadata": True,
        "disableThirdPartyCookieHeuristics": True,
    }
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCookieControls", blocked)


@contextmanager
def allowing(browser: Browser, folder: Path) -> Iterator[BrowserContext]:
    """A browser that is told to let a third party's cookies through."""
    (folder / "Default").mkdir()
    wish = {"profile": {"cookie_controls_mode": 0}}
    (folder / "Default" / "Preferences").write_text(json.dumps(wish))
    profile = browser.browser_type.launch_persistent_context(
        folder, executable_path=find_chromium(), args=ARGUMENTS
    )
    try:
        yield profile
    finally:
        profile.close()


def travels(context: BrowserContext, tab: Tab) -> bool:
    """Whether a cookie of the BFF's site goes with a request of the partner's page."""
    host = urlsplit(tab.site.shop).hostname
    context.add_cookies(
        [
            {
                "name": "control",
                "value": "1",
                "domain": host or "",
                "path": "/",
                "sameSite": "None",
                "secure": True,
            }
        ]
    )
    ask = "(url) => fetch(url, { credentials: 'include', mode: 'no-cors' }).then(() => {})"
    tab.page.evaluate(ask, f"{tab.site.shop}/rokt/health")
    return "control=1" in tab.site.gate.cookies


def test_the_pages_own_load_waits_for_nothing_of_ours(tab: Tab) -> None:
    late: list[Route] = []
    tab.page.route("**/bridge.js", lambda route: late.append(route))
    tab.page.goto(f"{tab.site.origin(tab.kind)}/?sdk=tag", wait_until="domcontentloaded")
    tab.until(lambda: bool(late))
    assert tab.page.locator("h1").is_visible()
    assert tab.requests == []
    for route in late:
        route.continue_()
    tab.wait()
    tab.settle()
    assert [call for call, _ in tab.requests] == ["GET /cart"] * (tab.kind == "shop")

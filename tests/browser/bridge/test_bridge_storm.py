"""A storm on the bridge: random clicks, reloads, offline spells, answers in any order.

At its end page, placements and database must be equal, and no line doubled; and what the shopper
did last in a lone tab must be what is held. What happens is drawn from a seed, which a failure
prints; when it happens, the machine decides. `STORM=seed:clicks` makes another one, as long on both
origins, and `--database postgresql` has it there.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Route

from bff.emulator import CatalogItem
from tests.browser.pages.network import Network
from tests.browser.pages.site import ORIGINS, Site, running_site
from tests.browser.pages.tab import Tab, watch_page
from tests.browser.stand_in.checkout import NARROW, WIDE
from tests.conftest import ready
from tests.support.databases import KINDS, Databases

pytestmark = pytest.mark.browser

ASKED = os.environ.get("STORM")
SEED, CLICKS = (int(one) for one in (ASKED or "4:500").split(":"))
SHORTER = CLICKS // 4
SLOW_MS = 60  # a request or an answer is on its way for up to so long
LONGEST_SPELL = 12  # bursts

# A minimum, a maximum, a price that a float has not, and two that come without being asked for.
OFFERS = (
    CatalogItem("parking", "Parking", Decimal("12.50"), max_item_count=3),
    CatalogItem("pair", "A pair", Decimal("9.99"), min_item_count=2, max_item_count=4),
    CatalogItem("sticker", "Sticker", Decimal("0.10"), max_item_count=3),
    CatalogItem("program", "Program", Decimal("4.00"), preselected=1),
    CatalogItem("fee", "Fee", Decimal("1"), preselected=1, min_item_count=1, max_item_count=1),
)

# What a shopper has a say in: the fee has no buttons.
CLICKED = ["parking", "pair", "sticker", "program"]

# Waits until the placement has obeyed all that it was asked, then clicks, all in one task; gives
# what is shown once all is told, of the items that were told of: some clicks change nothing.
BURST = """async (clicks) => {
  await selection.send("NOTHING");
  const root = document.querySelector(".rokt-stand-in").shadowRoot;
  for (const [item, kind, text] of clicks) {
    const control = root.querySelector(`[data-catalog-item=${item}] [data-rokt=${kind}]`);
    if (kind === "quantity") {
      control.value = text;
      control.dispatchEvent(new Event("input"));
    } else control.click();
  }
  await selection.send("NOTHING");
  await new Promise((resolve) => setTimeout(resolve, 0));
  const shown = window.placement();
  const items = [...window.told].map((id) => id.split(":").at(-1));
  window.told.clear();
  return Object.fromEntries(items.map((item) => [item, shown[item] ?? 0]));
}"""


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, databases: Databases
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    asked = request.config.getoption("--database")
    kind = asked if asked in KINDS else "sqlite"
    ready(databases, kind)
    with (
        databases.maker(kind, folder) as new_database,
        running_site(folder, OFFERS, database_url=new_database()) as site,
    ):
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    running.forget()
    return running


class Storm:
    """Everything that happens to some tabs of one shopper."""

    def __init__(
        self, context: BrowserContext, site: Site, kind: str, tabs: int, seed: int
    ) -> None:
        self.random = Random(seed)
        self.context = context
        self.clock = context.new_page()  # lets time pass, whatever becomes of the other pages
        self.network = Network(context, site)
        self.tabs = [Tab(context.new_page(), site, kind) for _ in range(tabs)]
        self.happened: Counter[str] = Counter()
        self.spell = 0
        self.problems = [watch_page(tab.page) for tab in self.tabs]
        for tab in self.tabs:
            tab.open("tag")
        self.network.rule = self.carry

    def carry(self, route: Route) -> None:
        """Carry a request to the server, or not; and its answer back, or not; late both times."""
        fate = self.random.choices(["carried", "lost", "unheard"], [90, 5, 5])[0]
        self.happened[fate] += 1
        with suppress(Error):  # the page was left
            self.wait()
            if fate == "lost":
                route.abort()
                return
            answer = route.fetch()
            self.wait()
            if fate == "unheard":
                route.abort()
            else:
                route.fulfill(response=answer)

    def wait(self) -> None:
        self.clock.wait_for_timeout(self.random.uniform(0, SLOW_MS))

    def blow(self, clicks: int, items: list[str], *, fractions: bool = False) -> dict[str, int]:
        """Click so often; give what the placement showed when it last told of each item."""
        last: dict[str, int] = {}
        while clicks > 0:
            tab = self.random.choice(self.tabs)
            self.change_weather(tab)
            burst = [self.click(items, fractions) for _ in range(self.random.randint(1, 4))]
            clicks -= len(burst)
            self.happened["click"] += len(burst)
            last |= tab.page.evaluate(BURST, burst)
        return last

    def click(self, items: list[str], fractions: bool) -> tuple[str, str, str]:
        kind = self.random.choices(["more", "less", "add", "quantity"], [5, 4, 2, 2])[0]
        texts = ["0", "1", "2", "3", "9", *(["1.5"] if fractions else [])]
        return self.random.choice(items), kind, self.random.choice(texts)

    def change_weather(self, tab: Tab) -> None:
        if self.spell:
            self.spell -= 1
            if not self.spell:
                self.context.set_offline(False)
            return
        kinds = ["nothing", "pause", "reload", "offline", "redraw"]
        what = self.random.choices(kinds, [40, 45, 8, 4, 3])[0]
        self.happened[what] += 1
        if what == "reload":
            tab.reload()
        elif what == "redraw":
            tab.redraw(self.random.choice([NARROW, WIDE]))
        elif what == "offline":
            self.spell = self.random.randint(1, LONGEST_SPELL)
            self.context.set_offline(True)
        elif what == "pause":
            self.wait()

    def calm(self) -> None:
        """The network is good again, and the browser notices."""
        self.network.mend()
        self.context.set_offline(True)
        self.context.set_offline(False)
        self.spell = 0

    def views(self) -> list[Any]:
        return [view for tab in self.tabs for view in tab.views()]

    def agree(self) -> dict[str, int]:
        """Wait until every tab's placement and cart are as the database; give what they are."""
        first = self.tabs[0]
        first.until(lambda: all(one == first.site.held() for one in self.views()), self.views)
        return first.site.held()

    def settle(self) -> dict[str, int]:
        self.calm()
        for tab in self.tabs:
            tab.settle()
        held = self.agree()
        assert not any(self.problems), self.problems
        return held


@pytest.mark.parametrize(
    ("kind", "clicks"), [("shop", CLICKS), ("partner", CLICKS if ASKED else SHORTER)]
)
def test_everything_agrees_after_a_storm_over_two_tabs(
    site: Site, context: BrowserContext, kind: str, clicks: int
) -> None:
    print(f"STORM={SEED}:{CLICKS}")
    storm = Storm(context, site, kind, 2, SEED)
    storm.blow(clicks, CLICKED, fractions=True)
    held = storm.settle()
    print(storm.happened, held)
    one, other = storm.tabs
    one.fill("2")
    other.fill("3", "sticker")
    assert storm.settle() == {**held, "parking": 2, "sticker": 3}
    for item in ("parking", "sticker", "program"):
        one.fill("0", item)
    assert set(storm.settle()) <= {"pair", "fee"}, "a pair cannot be taken apart, a fee not away"


@pytest.mark.parametrize("kind", ORIGINS)
def test_the_last_click_of_a_lone_tab_is_what_is_held(
    site: Site, context: BrowserContext, kind: str
) -> None:
    print(f"STORM={SEED}:{CLICKS}")
    storm = Storm(context, site, kind, 1, SEED)
    last = storm.blow(SHORTER, CLICKED)
    held = storm.settle()
    print(storm.happened, held)
    assert {item: held.get(item, 0) for item in last} == last

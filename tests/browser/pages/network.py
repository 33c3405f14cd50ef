"""What lies between a browser and the BFF: it can lose answers, and swap them.

Playwright answers the preflights of what it routes by itself, so a test about what the BFF tells a
page elsewhere does without this.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import APIResponse, BrowserContext, Error, Route

from tests.browser.pages.site import Site

Rule = Callable[[Route], None]


class Network:
    """Every request of a context to the BFF's endpoints goes by the rule of the moment."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.rule: Rule = Route.continue_
        self.kept: list[tuple[Route, APIResponse]] = []
        endpoints = re.compile(re.escape(f"{site.shop}/rokt/") + "(cart|session)")
        context.route(endpoints, lambda route: self.rule(route))

    def mend(self) -> None:
        """Everything arrives."""
        self.rule = Route.continue_

    def lose_answers(self) -> None:
        """What is sent arrives; the page hears nothing of it."""

        def lose(route: Route) -> None:
            route.fetch()
            route.abort()

        self.rule = lose

    def keep_answers(self) -> None:
        """What is sent arrives; the answers wait for `swap`."""
        self.rule = lambda route: self.kept.append((route, route.fetch()))

    def swap(self) -> None:
        """Let the kept answers out, the last one first."""
        for route, answer in reversed(self.kept):
            with suppress(Error):  # the page may be gone
                route.fulfill(response=answer)
        self.kept.clear()

"""The commands of ``flask rokt`` in a shop under test, and the parts behind two of them."""

from __future__ import annotations

from click.testing import Result
from flask.cli import FlaskGroup

from bff.ops import redrive as redriving
from bff.ops.doctor import examine_database
from tests.support.shop import Shop


def rokt(shop: Shop, *arguments: str) -> Result:
    """Run ``flask rokt …`` as a shop's developer does: the group is found by its entry point."""
    group = FlaskGroup(create_app=lambda: shop.app, add_default_commands=False)
    return shop.app.test_cli_runner().invoke(group, ["rokt", *arguments])


def examine(shop: Shop) -> list[str]:
    """Return the names of the doctor's findings in the database, each once."""
    found = examine_database(shop.parts.store, shop.clock())
    return list(dict.fromkeys(finding.name for finding in found))


def redrive(shop: Shop, which: str | None = None) -> int:
    """Redrive one order, or all. Returns how many calls are owed again."""
    parts = shop.parts
    return redriving.redrive(parts.store, parts.outbox, which)

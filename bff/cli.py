"""The commands: ``flask rokt …`` in a Flask shop, ``rokt-bff …`` for the rest.

``flask`` finds the group by the package's entry point, so a shop need not do anything for it.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
from flask import current_app
from flask.cli import AppGroup

from bff.errors import BffError, StoreUnavailable
from bff.extension.setup import begin_command
from bff.ops.doctor import count_open, examine_database, examine_rokt, examine_settings
from bff.ops.redrive import redrive
from bff.sbom import bill
from bff.store.clock import system_time
from bff.web.runtime import Runtime, runtime
from bff.web.scripts import release

rokt = AppGroup("rokt", callback=begin_command, help="Look after Rokt's upsells.")


@contextmanager
def _told() -> Iterator[None]:
    """Let an error of ours end the command with its text, without a traceback."""
    try:
        yield
    except BffError as error:
        raise click.ClickException(str(error)) from None


def _here() -> Runtime:
    return runtime(current_app._get_current_object())  # type: ignore[attr-defined]


@rokt.command("init-db")
def init_db_command() -> None:
    """Create the tables, or bring them to this version."""
    with _told():
        changed = _here().store.migrate()
    click.echo("The tables are of this version" + (" now." if changed else " already."))


@rokt.command("deliver")
@click.option("--once", is_flag=True, help="Deliver what is due now, then end.")
def deliver_command(once: bool) -> None:
    """Deliver what is owed to Rokt.

    Until SIGINT or SIGTERM; gives back what was left reserved, and purges what is over.
    """
    worker = _here().checkout.worker
    with _told(), _until_a_signal() as stop:
        _here().store.check_schema()
        if once:
            given_back, attempts = worker.deliver_once(stop)
            click.echo(f"Attempted {attempts} calls, and gave back {given_back} items.")
            return
        click.echo("Delivering. Ctrl-C ends it after the call under way.")
        worker.run(stop)


@contextmanager
def _until_a_signal() -> Iterator[threading.Event]:
    """Yield what SIGINT and SIGTERM set: what is under way is finished, and nothing begun.

    Once is enough, until the process is gone: a second one would end it as failed.
    """
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if stop.is_set() else handler)


@rokt.command("purge")
def purge_command() -> None:
    """Delete what is long over.

    That is sessions that ended a week ago, and orders that were settled three months ago.
    """
    here = _here()
    with _told():
        here.store.check_schema()
        given_back, purged = here.checkout.worker.purge_once()
    click.echo(f"Purged {purged} sessions, orders and calls, and gave back {given_back} items.")


@rokt.command("redrive")
@click.argument("order_id", required=False)
@click.option("--all", "everything", is_flag=True, help="All orders with such a call.")
def redrive_command(order_id: str | None, everything: bool) -> None:
    """Try again what an order lost.

    That is what stands in refund_needed, or a cancel that was given up. Not for an order whose
    shopper has the money back: note that with `refunded`.
    """
    if (order_id is None) == (not everything):
        raise click.UsageError("Name an order, or say --all.")
    here = _here()
    with _told():
        here.store.check_schema()
        if order_id is not None:
            here.checkout.order(order_id)  # for its error
        count = redrive(here.store, here.settings, system_time(), order_id)
    click.echo(f"{count} calls are owed again.")


@rokt.command("refunded")
@click.argument("order_id")
def refunded_command(order_id: str) -> None:
    """Note that a shopper has the money back.

    For an order in refund_needed: doctor no longer names it, and redrive leaves it alone.
    """
    here = _here()
    with _told():
        here.store.check_schema()
        here.checkout.refunded(order_id)
    click.echo(f"Order {order_id!r} is refunded; doctor no longer names it.")


@rokt.command("doctor")
def doctor_command() -> None:
    """Check the promises, settings and Rokt.

    Prints a line a finding, and exits with 1 when there is one.
    """
    here = _here()
    findings = [
        *examine_database(here.store, system_time()),
        *examine_rokt(here.settings, here.checkout.api),
        *examine_settings(here.settings, current_app.config),
    ]
    for finding in findings:
        click.echo(f"{finding.name}: {finding.text}")
    with suppress(StoreUnavailable):  # which is a finding already
        counts = count_open(here.store)
        click.echo("Open: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    if findings:
        sys.exit(1)
    click.echo("All is well.")


@click.group()
@click.version_option(package_name="rokt-bff")
def main() -> None:
    """rokt-bff: the server half of Rokt's upsell on a checkout page."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--insecure-cookies", is_flag=True, help="Without TLS, while developing.")
def serve(host: str, port: int, insecure_cookies: bool) -> None:
    """Serve pages on other origins.

    Its settings are ROKT_BFF_… of the environment.
    """
    _needs("waitress", "server")
    from bff.server.serve import serve as run

    try:
        with _told():
            run(host, port, click.echo, secure_cookies=not insecure_cookies)
    except (OSError, ValueError) as error:  # waitress tells an unknown host by a ValueError
        raise click.ClickException(
            f"Cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}). "
            "Choose another --host or --port."
        ) from None


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--emulator-port", default=8081, show_default=True, type=click.IntRange(0, 65535))
@click.option("--partner-host", default="127.0.0.2", show_default=True, help="Of a second origin.")
@click.option("--partner-port", default=8082, show_default=True, type=click.IntRange(0, 65535))
def demo(host: str, port: int, emulator_port: int, partner_host: str, partner_port: int) -> None:
    """Start the demo, on this machine only.

    That is a shop, a partner's shop on a second origin, and the emulator of Rokt.
    """
    _needs("waitress", "demo")
    _needs("babel", "demo")
    _needs("flask_wtf", "demo")
    from bff.demo.run import run

    ended = run(
        host=host,
        port=port,
        emulator_port=emulator_port,
        partner_host=partner_host,
        partner_port=partner_port,
        echo=click.echo,
    )
    sys.exit(ended)


@main.command()
@click.option(
    "--base",
    default="/rokt",
    show_default=True,
    metavar="ADDRESS",
    help="The BFF as pages see it, such as https://upsell.example/rokt.",
)
def integrity(base: str) -> None:
    """Print the tags that pin the scripts.

    The tags are of this release: after an upgrade their addresses answer 404, so print them
    anew and change the pages with it. A browser holds a file to its own integrity only, not
    what it imports; so a page that imports several modules needs a preload for each.
    """
    if not base.startswith(("/", "https://", "http://")):
        raise click.BadParameter("must be a path or an address, such as /rokt", param_hint="--base")
    present, base = release(), base.rstrip("/")
    scripts = sorted(present.scripts)
    for name in scripts:
        click.echo(f"{name}  {present.integrity(name)}")
    click.echo("\nOn a page without a script of its own for the bridge:")
    click.echo(present.tag("bridge.js", base))
    click.echo("\nBefore a script that imports from the same addresses, those that it imports:")
    for name in scripts:
        click.echo(present.tag(name, base, preload=True))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8081, show_default=True, type=click.IntRange(0, 65535))
@click.option("--access-log", is_flag=True, help="Print a line a request.")
def emulator(host: str, port: int, access_log: bool) -> None:
    """Start the emulator of Rokt's Cart API alone."""
    from bff.emulator import run

    try:
        run(host, port, access_log=access_log, echo=click.echo)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host}:{port} ({error.strerror or error}). Choose another --port."
        ) from None


@main.command()
def sbom() -> None:
    """Print the bill of materials of what is installed, as CycloneDX JSON."""
    click.echo(json.dumps(bill(), indent=2))


def _needs(module: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise click.ClickException(f"This needs {module}: pip install 'rokt-bff[{extra}]'.")


@contextmanager
def _standalone() -> Iterator[None]:
    from bff.server.serve import create_app

    begin_command()
    with _told():
        app, _ = create_app()
    with app.app_context():
        yield


def _also_standalone(command: click.Command) -> None:
    """Offer a command of ``flask rokt`` on the standalone server's settings too."""

    def invoke(**given: object) -> None:
        with _standalone():
            click.get_current_context().invoke(command, **given)

    main.add_command(
        click.Command(command.name, params=list(command.params), callback=invoke, help=command.help)
    )


for _command in rokt.commands.values():
    _also_standalone(_command)

"""The commands: ``flask rokt …`` in a Flask shop, ``rokt-bff …`` for the standalone server.

``flask`` finds its commands by the package's entry point; a shop needs no code for them.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import click
from flask import current_app
from flask.cli import AppGroup

from bff.errors import BffError, StoreUnavailable
from bff.extension.setup import begin_command
from bff.ops.doctor import count_open, examine_database, examine_rokt, examine_settings
from bff.ops.redrive import redrive
from bff.store.clock import system_time
from bff.web.runtime import Runtime, runtime
from bff.web.scripts import release

rokt = AppGroup("rokt", callback=begin_command, help="Run and check Rokt's upsells.")


@contextmanager
def _error_as_text() -> Iterator[None]:
    """End the command with the text of our error, without a traceback."""
    try:
        yield
    except BffError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _migrated() -> Iterator[Runtime]:
    """Yield the parts of the app; end the command if its tables have another version."""
    parts = _parts()
    with _error_as_text():
        parts.store.check_schema()
        yield parts


def _parts() -> Runtime:
    return runtime(current_app._get_current_object())  # type: ignore[attr-defined]


@rokt.command("init-db")
def init_db_command() -> None:
    """Create the tables, or migrate them."""
    with _error_as_text():
        changed = _parts().store.migrate()
    click.echo("The tables are now up to date." if changed else "The tables were up to date.")


@rokt.command("deliver")
@click.option("--once", is_flag=True, help="Send the calls that are due now, then end.")
def deliver_command(once: bool) -> None:
    """Send the calls that are owed to Rokt.

    Runs until SIGINT or SIGTERM. Also releases what shoppers left reserved, and deletes old rows.
    """
    with _migrated() as parts, _until_a_signal() as stop:
        worker = parts.worker
        if once:
            released, attempts = worker.deliver_once(stop)
            click.echo(f"Attempted {attempts} calls, and released {released} items.")
            return
        click.echo("Delivering. Ctrl-C ends it after the call under way.")
        worker.run(stop)


@contextmanager
def _until_a_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set. Then work ends, and no new work begins.

    A second signal is ignored, because it would end the process as failed.
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
    """Delete old rows.

    Deletes sessions that ended a week ago, and orders that were settled three months ago.
    """
    with _migrated() as parts:
        released, purged = parts.worker.purge_once()
    click.echo(f"Deleted {purged} sessions, orders and calls, and released {released} items.")


@rokt.command("redrive")
@click.argument("order_id", required=False)
@click.option("--all", "everything", is_flag=True, help="Retry every such order.")
def redrive_command(order_id: str | None, everything: bool) -> None:
    """Retry what failed for an order.

    Retries the items in refund_needed, and a cancel that reached its deadline. If the shopper has
    the money back, use `refunded` instead.
    """
    if (order_id is None) == (not everything):
        raise click.UsageError("Name either an order or --all.")
    with _migrated() as parts:
        if order_id is not None:
            parts.checkout.order(order_id)  # raises if it does not exist
        count = redrive(parts.store, parts.outbox, order_id)
    click.echo(f"{count} calls are owed again.")


@rokt.command("refunded")
@click.argument("order_id")
def refunded_command(order_id: str) -> None:
    """Record that a shopper has the money back.

    Applies to an order in refund_needed. `doctor` and `redrive` then ignore the order.
    """
    with _migrated() as parts:
        parts.checkout.refunded(order_id)
    click.echo(f"Order {order_id!r} is refunded. doctor and redrive ignore it now.")


@rokt.command("doctor")
def doctor_command() -> None:
    """Check database, settings and Rokt.

    Prints one line a finding, and exits with 1 if there is one.
    """
    parts = _parts()
    findings = [
        *examine_database(parts.store, system_time()),
        *examine_rokt(parts.settings, parts.api),
        *examine_settings(parts.settings, current_app.config),
    ]
    for finding in findings:
        click.echo(f"{finding.name}: {finding.text}")
    with suppress(StoreUnavailable):  # this is a finding already
        counts = count_open(parts.store)
        click.echo("Open: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    if findings:
        sys.exit(1)
    click.echo("All is well.")


@click.group()
@click.version_option(package_name="rokt-bff")
def main() -> None:
    """Rokt's upsell on a checkout page: the server half."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--insecure-cookies", is_flag=True, help="Send cookies without TLS.")
def serve(host: str, port: int, insecure_cookies: bool) -> None:
    """Start the server for pages on other origins.

    Reads its settings from ROKT_BFF_… in the environment.
    """
    _needs("waitress", "server")
    from bff.server.serve import serve as run

    try:
        with _error_as_text():
            run(host, port, click.echo, secure_cookies=not insecure_cookies)
    except (OSError, ValueError) as error:  # waitress raises ValueError for an unknown host
        raise click.ClickException(
            f"Cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}). "
            "Choose another --host or --port."
        ) from None


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--emulator-port", default=8081, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--partner-host", default="127.0.0.2", show_default=True, help="Address of the partner's shop."
)
@click.option("--partner-port", default=8082, show_default=True, type=click.IntRange(0, 65535))
def demo(host: str, port: int, emulator_port: int, partner_host: str, partner_port: int) -> None:
    """Start the demo, on this machine only.

    Starts a shop, a partner's shop on a second origin, and the emulator of Rokt.
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
    help="Address of the endpoints, such as https://upsell.example/rokt.",
)
def integrity(base: str) -> None:
    """Print script tags with integrity values.

    The addresses are valid for this release only. After an upgrade they answer 404: print the tags
    again and change the pages. A browser checks the integrity of a file, but not of its imports.
    So a page needs a preload for each module that its script imports.
    """
    if not base.startswith(("/", "https://", "http://")):
        raise click.BadParameter(
            "must be a path or an http address, such as /rokt", param_hint="--base"
        )
    present, base = release(), base.rstrip("/")
    scripts = sorted(present.scripts)
    for name in scripts:
        click.echo(f"{name}  {present.integrity(name)}")
    click.echo("\nFor a page that loads the bridge by a tag:")
    click.echo(present.script_tag("bridge.js", base))
    click.echo("\nBefore a script that imports these modules, one for each of them:")
    for name in scripts:
        click.echo(present.script_tag(name, base, preload=True))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8081, show_default=True, type=click.IntRange(0, 65535))
@click.option("--access-log", is_flag=True, help="Print one line a request.")
def emulator(host: str, port: int, access_log: bool) -> None:
    """Start the emulator of Rokt's Cart API alone."""
    from bff.emulator import run

    try:
        run(host, port, access_log=access_log, echo=click.echo)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host}:{port} ({error.strerror or error}). Choose another --port."
        ) from None


def _needs(module: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise click.ClickException(f"This command needs {module}: pip install 'rokt-bff[{extra}]'.")


@contextmanager
def _standalone() -> Iterator[None]:
    from bff.server.serve import create_app

    begin_command()
    with _error_as_text():
        app, _ = create_app()
    with app.app_context(), closing(_parts().store):
        yield


def _also_standalone(command: click.Command) -> None:
    """Make a command of ``flask rokt`` a command of ``rokt-bff``, with the server's settings."""

    def invoke(**given: object) -> None:
        with _standalone():
            click.get_current_context().invoke(command, **given)

    main.add_command(
        click.Command(command.name, params=list(command.params), callback=invoke, help=command.help)
    )


for _command in rokt.commands.values():
    _also_standalone(_command)

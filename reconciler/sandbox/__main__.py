"""The sandbox as a process: `python -m reconciler.sandbox --port 9400 --company 934…:US:USD`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from aiohttp import web

from reconciler.sandbox.configuration import Configuration, configure, load
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.log import Log
from reconciler.sandbox.server import create_app
from reconciler.sandbox.webhook_admin import subscription
from reconciler.sandbox.world import World

DEFAULT_COMPANY = "9341450000000001:US:USD"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    options = parser().parse_args(argv)
    try:
        settings = load(options.config) if options.config else Configuration()
        world = build(options, settings)
    except (OSError, msgspec.MsgspecError, Fault) as error:
        raise SystemExit(
            f"reconciler sandbox: {options.config or options.data}: {error}"
        ) from error
    address = f"http://{options.host}:{options.port}"
    print(f"QuickBooks sandbox on {address}: {', '.join(world.realms)}", flush=True)
    subscriptions = tuple(subscription(one) for one in settings.webhooks)
    try:
        web.run_app(
            create_app(world, subscriptions, options.data and options.data / "grants.json"),
            host=options.host,
            port=options.port,
            access_log=None,
            print=None,
        )
    except OSError as error:
        told = f"can't listen on {address} (--host, --port): {error.strerror}"
        raise SystemExit(f"reconciler sandbox: {told}") from None
    return 0


def build(options: argparse.Namespace, settings: Configuration) -> World:
    """The world the options and the file describe, with what the log holds of it."""
    world = World(limits_enforced=not options.no_limits, token=options.token)
    if options.data:
        log = Log(options.data)
        log.restore(world)
        world.listeners.append(log.heard)
    companies = options.company
    if not companies and not settings.companies and not world.realms:
        companies = [DEFAULT_COMPANY]
    for company in companies or ():
        realm, country, currency = _company(company)
        if realm not in world.realms:
            world.add_realm(realm, country, currency)
    configure(world, settings)
    return world


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("reconciler sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9400)
    parser.add_argument("--company", action="append", metavar="REALM:COUNTRY:CURRENCY")
    parser.add_argument("--token", default="", help="the one bearer token to accept (default: any)")
    parser.add_argument("--no-limits", action="store_true", help="don't throttle")
    parser.add_argument("--data", type=Path, help="keep the books in this directory")
    parser.add_argument("--config", type=Path, help="switches, companies, webhooks (YAML or JSON)")
    return parser


def _company(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if len(parts) != 3 or not parts[0].isdigit():
        raise SystemExit(f"--company must be REALM:COUNTRY:CURRENCY, not {text!r}")
    return parts[0], parts[1].upper(), parts[2].upper()


if __name__ == "__main__":
    sys.exit(main())

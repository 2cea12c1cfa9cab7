"""The sandbox as a process: `python -m reconciler.sandbox --port 9400 --company 934…:US:USD`."""

import argparse
import sys
from collections.abc import Sequence

from aiohttp import web

from reconciler.sandbox.server import create_app
from reconciler.sandbox.world import World

DEFAULT_COMPANY = "9341450000000001:US:USD"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    options = _parser().parse_args(argv)
    world = World(limits_enforced=not options.no_limits, token=options.token)
    for company in options.company or [DEFAULT_COMPANY]:
        realm, country, currency = _company(company)
        world.add_realm(realm, country, currency)
    web.run_app(create_app(world), host=options.host, port=options.port, access_log=None,
                print=None)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("reconciler sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9400)
    parser.add_argument("--company", action="append", metavar="REALM:COUNTRY:CURRENCY")
    parser.add_argument("--token", default="", help="the one bearer token to accept (default: any)")
    parser.add_argument("--no-limits", action="store_true", help="don't throttle")
    return parser


def _company(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if len(parts) != 3 or not parts[0].isdigit():
        raise SystemExit(f"--company must be REALM:COUNTRY:CURRENCY, not {text!r}")
    return parts[0], parts[1].upper(), parts[2].upper()


if __name__ == "__main__":
    sys.exit(main())

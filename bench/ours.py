"""Our service as a contestant: `python -m bench.ours PART COUNT`, settings from the environment.

The service is the one that `reconciler run` starts, wired by `app.Service`; only what it observes
is also counted. PART says which of its parts run: `intake` alone, or `all`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import structlog
import uvloop

from bench.tally import Tally
from reconciler.model import DocumentState
from reconciler.service.app import Service
from reconciler.service.process import Part
from reconciler.settings import read_settings
from reconciler.workflows import load

INTAKE = "intake"


class Counted(Service):
    """The service with its observations counted towards a target."""

    tally: Tally
    part: str

    def count(self, tally: Tally, part: str) -> None:
        """Count records in `intake`, created documents in `all`."""
        self.tally, self.part = tally, part
        batch, document = self.metrics.batch, self.metrics.document

        def taken(what: Any) -> None:
            batch(what)
            if self.part == INTAKE:
                tally.did(what.records)

        def reached(of: Any, state: DocumentState, *rest: Any) -> None:
            document(of, state, *rest)
            if state is DocumentState.CREATED and self.part != INTAKE:
                tally.did()

        self.metrics.batch = taken  # type: ignore[method-assign,assignment]
        self.metrics.document = reached  # type: ignore[method-assign,assignment]

    def _sources(self) -> list[tuple[str, Part]]:
        found = super()._sources()
        return [part for part in found if self.part != INTAKE or part[0] in ("intake", "watchdog")]

    def _open_dispatching(self, companies: Any) -> Any:
        return super()._open_dispatching({} if self.part == INTAKE else companies)


async def _run(part: str, count: int) -> None:
    settings = read_settings()
    service = Counted(settings, load(settings.workflows.read_text()))
    tally = Tally(count)
    service.count(tally, part)
    running = asyncio.create_task(service.run())
    waiting = asyncio.create_task(_first_record(service, tally))
    ended = asyncio.create_task(tally.wait())
    await asyncio.wait([running, ended], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    waiting.cancel()
    if os.environ.get("BENCH_STAY") != "1":
        signal.raise_signal(signal.SIGTERM)
    await running


async def _first_record(service: Counted, tally: Tally) -> None:
    """Start the clock when the first batch was read, before any of it is done."""
    while True:
        consuming = getattr(service, "consuming", None)  # there once the service is open
        consumer = consuming.consumer if consuming is not None else None
        if consumer is not None and any(
            held.next_offset > 0 for held in consumer._assignment.held.values()
        ):
            tally.took()
            return
        await asyncio.sleep(0.001)


def main() -> None:
    """Run until the count is reached."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    uvloop.run(_run(sys.argv[1], int(sys.argv[2])))


if __name__ == "__main__":
    main()

"""Real minutes at full backlog against the sandbox's limits: `python -m bench.quickbooks_limits`.

Prints, per minute, batches and documents as the sandbox counted them, and how often it throttled:
the claim is none, with at least 95 % of the 40 batches a minute used.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from reconciler.quickbooks.limits import Limits
from reconciler.running import logs
from reconciler.writing.lifecycle import RetryPolicy
from store.embedded import start_postgres
from store.upgrade import upgrade
from tests.company_at_work import Work, at_work, sale
from tests.sandbox_process import sandbox_process

BACKLOG_PER_MINUTE = 1800


async def measure(work: Work, minutes: int) -> bool:
    """Work for so many minutes; answers whether the claim held."""
    await work.want(
        [sale(private_note=f"deal {n}") for n in range(BACKLOG_PER_MINUTE * (minutes + 1))]
    )
    started, held = time.monotonic(), True
    for minute in range(1, minutes + 1):
        await work.sandbox.admin("POST", f"stats/{work.realm}/reset")

        async def is_over(minute: int = minute) -> bool:
            return time.monotonic() - started >= 60 * minute

        await work.run_until(is_over, seconds=90)
        stats = await work.sandbox.admin("GET", f"stats/{work.realm}")
        documents = stats["created"].get("Invoice", 0)
        print(
            f"minute {minute}: {stats['batches']} batches, {documents} documents, "
            f"{stats['throttled']} throttled, {stats['metered_reads']} metered reads, "
            f"peaks {stats['peaks']}"
        )
        held = held and stats["throttled"] == 0 and stats["batches"] >= 38
    return held


async def run(dsn: str, minutes: int) -> bool:
    """Against a sandbox of our own that throttles as Intuit does."""
    with sandbox_process() as sandbox:
        realm = await sandbox.company()
        async with at_work(sandbox, dsn, realm, limits=Limits(), policy=RetryPolicy()) as work:
            return await measure(work, minutes)


def main() -> None:
    """Exit status 0 when the claim held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=3)
    arguments = parser.parse_args()
    logs.configure("json", "warning")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)  # noqa: S103, PTH101  Postgres runs as another user
        with start_postgres(Path(directory) / "postgres") as postgres:
            upgrade(postgres.dsn)
            held = asyncio.run(run(postgres.dsn, arguments.minutes))
    print("held" if held else "NOT held")
    raise SystemExit(not held)


if __name__ == "__main__":
    main()

"""`python -m tests.chaos --minutes 10 --seed S [--workers 3] [--brokers 3]`: exit 0 if all is well.

Needs Java and Kafka's jars (tests/kafka_apache.py). The directory of logs is kept when it fails.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from random import Random

import asyncpg

from tests.chaos.run import SETTINGS, Chaos, run
from tests.chaos.servers import servers
from tests.faults.stage import prepare, scene


def main() -> int:
    """Run it and print the counts and the verdict."""
    options = parser().parse_args()
    directory = Path(tempfile.mkdtemp(prefix=f"chaos-{options.seed}-"))
    directory.chmod(0o755)  # as root, Postgres runs as another account and must get in
    with servers(directory, options.brokers) as started:
        asyncio.run(_database(started.postgres.dsn))
        places = asyncio.run(
            prepare(
                started.quickbooks.url, started.kafka.bootstrap, started.postgres.dsn_of("chaos"),
                "chaos.",
            )
        )  # fmt: skip
        with scene(directory, places) as opened:
            opened.changes = {
                **SETTINGS,
                "postgres_dsn": started.dsn.rpartition("/")[0] + "/chaos",
                "quickbooks_base_url": started.quickbooks_url,
            }
            chaos = Chaos(opened, started, Random(f"points {options.seed}"))
            verdict = run(chaos, options.seed, options.minutes, options.workers)
    print(", ".join(f"{count} {name}" for name, count in sorted(chaos.counts.items())))
    print(verdict)
    if verdict.is_clean:
        shutil.rmtree(directory, ignore_errors=True)
        print(f"seed {options.seed}: passed")
        return 0
    print(f"seed {options.seed}: FAILED; logs in {directory}")
    return 1


async def _database(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE DATABASE chaos")
    finally:
        await connection.close()


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--brokers", type=int, default=3)
    return parser


if __name__ == "__main__":
    sys.exit(main())

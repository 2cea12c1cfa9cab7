"""`python -m bench SCENARIO… [--quick]`: runs scenarios, prints their tables, writes JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from bench.scale import FULL, QUICK, Scale
from bench.table import Table, show
from bench.world import ROOT, World, world

SCENARIOS = (
    "intake",
    "replay",
    "create",
    "limits",
    "latency",
    "backfill",
    "growth",
    "memory",
    "scale",
    "catchup",
    "cost",
    "kill",
)

MODULES = {"scale": "processes"}


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    cpus = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    model = next((line.split(":")[1].strip() for line in cpus if "model name" in line), "")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("scenarios", nargs="+", choices=("all", *SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="the whole in a quarter of an hour")
    parser.add_argument("--out", help="file name of the JSON in bench/results")
    chosen = parser.parse_args()
    names = SCENARIOS if "all" in chosen.scenarios else tuple(chosen.scenarios)
    scale = QUICK if chosen.quick else FULL
    about, tables = machine(), list[Table]()
    at = datetime.now(UTC)
    path = ROOT / "bench" / "results" / (chosen.out or f"{at:%Y%m%dT%H%M%S}.json")
    path.parent.mkdir(exist_ok=True)
    with world() as running:
        for name in names:
            started = time.monotonic()
            sys.stderr.write(f"{name}\n")
            tables.append(_measured(name, running, scale))
            sys.stderr.write(f"  took {time.monotonic() - started:.0f} s\n")
            results = {
                "at": at.isoformat(timespec="seconds"),
                "quick": chosen.quick,
                "machine": about,
                "tables": [table.as_json() for table in tables],
            }
            path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    show(tables)
    sys.stderr.write(f"written to {path.relative_to(ROOT)}\n")


def _measured(name: str, running: World, scale: Scale) -> Table:
    """A scenario's table; what stops one scenario must not cost the figures of the others."""
    module = import_module(f"bench.scenarios.{MODULES.get(name, name)}")
    try:
        table: Table = module.run(running, scale)
    except Exception as error:
        sys.stderr.write(f"{traceback.format_exc()}\n")
        return Table(name, f"stopped: {error!r}", [])
    return table


if __name__ == "__main__":
    main()

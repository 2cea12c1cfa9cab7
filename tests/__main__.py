"""`python -m tests`: everything that must hold before a change is merged, in one command.

Linters, types and the arrows between packages first, because they are quick; then the tests on
embedded Postgres and Kafka. Arguments are passed on to pytest. The long runs (`-m faults`,
`-m grafana`, `python -m tests.chaos`, `python -m bench`) are commands of their own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent

CHECKS = (
    [BIN / "ruff", "check", "."],
    [BIN / "ruff", "format", "--check", "."],
    [BIN / "mypy"],
    [BIN / "lint-imports"],
)


def main() -> int:
    """The first failing exit status, or 0."""
    quick = "not faults and not grafana"
    pytest = [sys.executable, "-m", "pytest", "-q", "-m", quick, *sys.argv[1:]]
    for command in (*CHECKS, pytest):
        print(
            "+",
            *(Path(part).name if isinstance(part, Path) else part for part in command),
            flush=True,
        )
        status = subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The checker has teeth: seven bugs, each put into a copy of the tree and each caught.

`python -m tests.faults.mutants [NAME …]` copies the tree, plants one bug, runs the fault test that
must notice it, and prints what the checker said. Exit status 1 if one survives. `test_mutants`
runs the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("reconciler", "store", "streams", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Edit:
    """Text of a file, and what the bug makes of it."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A bug, the test that must fail on it, and what its failure must say."""

    name: str
    edits: tuple[Edit, ...]
    test: str
    says: str


CRASH, FENCING = "tests/faults/test_crash_points.py::", "tests/faults/test_fencing.py::"

MUTANTS = (
    Mutant(
        "offset before commit",
        (
            Edit(
                "reconciler/intake/intake.py",
                '                    self.crash_point("intake.advanced")\n',
                '                self.crash_point("intake.advanced")\n'
                "                async with self.transaction() as transaction:\n",
            ),
        ),
        CRASH + "test_a_crash_at_any_point_changes_nothing[intake.folded]",
        r"lost: no \w+ for",
    ),
    Mutant(
        "no fencing",
        (
            Edit(
                "store/leases.py",
                "    if held is None:\n        raise Fenced",
                "    if False:\n        raise Fenced",
            ),
            Edit(
                "reconciler/service/dispatching.py",
                "may_write=partial(self.dispatcher.owns, lease.realm_id),",
                "",
            ),
        ),
        FENCING + "test_a_zombie_whose_request_id_is_forgotten",
        r"duplicate: 2 \w+ for",
    ),
    Mutant(
        "new requestid per attempt",
        (
            Edit(
                "reconciler/writing/operations.py",
                "    return create(op.entity, op.request, op.request_id)",
                "    return create(op.entity, op.request, __import__('secrets').token_hex(16))",
            ),
            Edit(
                "reconciler/writing/operations.py",
                "    return batch(items, operations[0].request_id), items",
                "    return batch(items, __import__('secrets').token_hex(16)), items",
            ),
        ),
        CRASH + "test_a_crash_at_any_point_changes_nothing[dispatch.answered]",
        r"duplicate: 2 \w+ for",
    ),
    Mutant(
        "outcome before commit",
        (
            Edit(
                "store/dispatch.py",
                "        async with self._pool.acquire() as connection, connection.transaction():\n"
                "            await hold(connection, lease)\n"
                "            if results:",
                "        async with self._pool.acquire() as connection:\n"
                "            await insert_outcomes(connection, outcomes)\n"
                "        from os import environ\n"
                "        from reconciler.running.crash import crash_point\n"
                "        if outcomes:\n"
                "            crash_point(environ.get('RECONCILER_CRASH_POINT', ''))"
                "('dispatch.answered')\n"
                "        async with self._pool.acquire() as connection, connection.transaction():\n"
                "            await hold(connection, lease)\n"
                "            if results:",
            ),
            Edit(
                "store/dispatch.py",
                "                await insert_outcomes(connection, events)",
                "                pass",
            ),
            Edit(
                "reconciler/dispatch/company.py",
                '            self.around.crash_point("dispatch.answered")\n',
                "",
            ),
        ),
        CRASH + "test_a_crash_at_any_point_changes_nothing[dispatch.answered]",
        r"outcome: .* was told to be created 2 times",
    ),
    Mutant(
        "adopt off",
        (
            Edit(
                "reconciler/dispatch/locate.py",
                "    wanted: dict[str, Any] = decode(op.request)\n    conditions = list",
                "    return None\n    wanted: dict[str, Any] = decode(op.request)\n    conditions = list",
            ),
        ),
        CRASH + "test_a_crash_is_outlived_by_no_request_id[dispatch.answered]",
        r"duplicate: 2 \w+ for",
    ),
    Mutant(
        "lease never expires",
        (
            Edit(
                "store/leases.py",
                "(lease_until IS NULL OR lease_until < now())",
                "lease_until IS NULL",
            ),
        ),
        CRASH + "test_a_crash_at_any_point_changes_nothing[dispatch.begun]",
        r"not at rest after",
    ),
    Mutant(
        "fold by arrival",
        (
            Edit(
                "reconciler/intake/intake.py",
                "            for change in decoded:\n",
                "            for change in decoded:\n"
                "                now = __import__('time').time_ns() // 1_000_000\n"
                "                change = msgspec.structs.replace(change, at=now)\n",
            ),
        ),
        CRASH + "test_a_reordered_feed",
        r"(silent|lost|wrong): ",
    ),
)


def planted(mutant: Mutant, directory: Path) -> Path:
    """A copy of the tree with the bug in it."""
    tree = directory / "tree"
    tree.mkdir()
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tree / name)
    for edit in mutant.edits:
        path = tree / edit.file
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise ValueError(
                f"{mutant.name}: {edit.file} holds {text.count(edit.old)} of its places"
            )
        path.write_text(text.replace(edit.old, edit.new))
    return tree


def caught(mutant: Mutant, kafka: str = "embedded") -> str:
    """What the test said of the bug; "" if it did not notice, or failed for another reason."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        tree = planted(mutant, directory)
        if (cache := ROOT / ".cache").exists():
            (tree / ".cache").symlink_to(cache)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "faults", "-q", "-p", "no:cacheprovider",
             f"--kafka={kafka}", mutant.test],
            cwd=tree, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(tree), "FAULTS_SETTLE_SECONDS": "25"},
        )  # fmt: skip
    if done.returncode != 1:
        return ""
    found = re.search(mutant.says, done.stdout)
    return found[0] if found else ""


def main() -> int:
    """Plant each bug and print what became of it."""
    chosen = sys.argv[1:]
    survivors = 0
    for mutant in MUTANTS:
        if chosen and mutant.name not in chosen:
            continue
        said = caught(mutant)
        survivors += not said
        print(f"{mutant.name:28} {'caught: ' + said if said else 'SURVIVED'}", flush=True)
    return min(survivors, 1)


if __name__ == "__main__":
    sys.exit(main())

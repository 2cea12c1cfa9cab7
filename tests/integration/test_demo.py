"""The demo is the README's first command, so it is tested as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("seed", [1, 2])
def test_the_demo_ends_with_status_zero_only_if_the_books_are_right(seed: int) -> None:
    """`reconciler demo --exit` reads its books back and finds what the feed's generator planted."""
    command = [sys.executable, "-m", "reconciler.cli", "demo", "--exit", "--seed", str(seed)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert "The books agree with the feed" in ended.stdout


@pytest.mark.parametrize("after", ["Starting Postgres", "The service runs"])
def test_the_demo_takes_all_it_started_with_it_when_it_is_told_to_end(
    after: str, tmp_path: Path
) -> None:
    """`docker stop`, systemd and CI send SIGTERM, also while it is starting: nothing stays."""
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)  # as root, Postgres runs as another account and must get in
    demo = subprocess.Popen(
        [sys.executable, "-u", "-m", "reconciler.cli", "demo"],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert demo.stdout is not None
    assert any(after in line for line in demo.stdout)
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=60)
    left = _processes_with(f"TMPDIR={tmp_path}")
    for each in left:
        os.kill(each, signal.SIGKILL)
    assert (demo.returncode, left, list(tmp_path.iterdir())) == (143, [], [])


def _processes_with(variable: str) -> list[int]:
    return [
        int(each.parent.name)
        for each in Path("/proc").glob("[0-9]*/environ")
        if variable.encode() in _read(each).split(b"\0")
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended meanwhile, or is somebody else's

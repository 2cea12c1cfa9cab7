"""The demo is the README's first command, so it is tested as a user runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("seed", [1, 2])
def test_the_demo_ends_with_status_zero_only_if_the_books_are_right(seed: int) -> None:
    """`reconciler demo --exit` reads its books back and finds what the feed's generator planted."""
    command = [sys.executable, "-m", "reconciler.cli", "demo", "--exit", "--seed", str(seed)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert "The books agree with the feed" in ended.stdout

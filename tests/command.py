"""Runs the command line as a user does, against a whole service of a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from reconciler.demo.environment import variables
from tests.whole_service import WholeService


@dataclass(frozen=True)
class Answer:
    """A command's exit status, its output, and that as JSON if it is some."""

    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


def environment_of(whole: WholeService, **settings: str) -> dict[str, str]:
    """The variables that a command needs to find the service's parts."""
    return os.environ | variables(whole.settings(**settings))


def start(whole: WholeService, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    """Start a command with its input and output piped."""
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler.cli", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_of(whole, **settings),
    )


def command(whole: WholeService, *arguments: str, **settings: str) -> Answer:
    """Run a command to its end."""
    process = start(whole, *arguments, **settings)
    output, errors = process.communicate(timeout=60)
    return Answer(process.returncode, output, errors)


def done(whole: WholeService, *arguments: str, **settings: str) -> Any:
    """Run a command with --json that must succeed, and answer what it printed."""
    answer = command(whole, *arguments, "--json", **settings)
    assert answer.status == 0, f"{arguments}: {answer.status}\n{answer.output}\n{answer.errors}"
    return answer.json

"""Reads a workflow file. Called by `cli` and the commands; what it says is loaded by `load`."""

from __future__ import annotations

from pathlib import Path

from reconciler.workflows.definitions import WorkflowFile
from reconciler.workflows.load import load
from reconciler.workflows.problems import Problem, WorkflowErrors


def text_of(path: Path) -> str:
    """The text of the file. Raises WorkflowErrors."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8: save the file as UTF-8"
    except OSError as error:
        message = f"can't be read: {error.strerror or error}"
    raise WorkflowErrors(str(path), (Problem(1, 1, "", message),))


def load_file(path: Path) -> WorkflowFile:
    """The file, checked. Raises WorkflowErrors with every problem in it."""
    return load(text_of(path), str(path))

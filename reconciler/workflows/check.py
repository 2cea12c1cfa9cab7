"""The command `reconciler check`: every problem of a workflow file, with the line it is on.

`cli` calls it. It reads one file and prints; it connects to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from reconciler.workflows.definitions import WorkflowFile
from reconciler.workflows.files import text_of
from reconciler.workflows.lint import lint
from reconciler.workflows.load import load
from reconciler.workflows.problems import Problem, WorkflowErrors

_STYLES = {"error": "bold red", "warning": "yellow"}
_WIDTH = 160  # of a line of the file: longer ones are cut


def check(path: Path, console: Console, *, as_json: bool = False) -> int:
    """Print every problem of the file at `path`; 0 if it can be used, 2 if not."""
    text, problems = read_problems(path)
    if as_json:
        print_json(path, problems, console)
    else:
        print_problems(path, text, problems, console)
    return 2 if any(each.severity == "error" for each in problems) else 0


def read_problems(path: Path) -> tuple[str, tuple[Problem, ...]]:
    """The file's text and its errors, or if it has none its warnings."""
    text = ""
    try:
        text = text_of(path)
        return text, lint(load(text, str(path)))
    except WorkflowErrors as errors:
        return text, errors.problems


def print_json(path: Path, problems: Iterable[Problem], console: Console) -> None:
    """Print one JSON document for other programs."""
    listed = [
        {
            "line": each.line,
            "column": each.column,
            "path": each.path,
            "message": each.message,
            "severity": each.severity,
        }
        for each in problems
    ]
    document = {"file": str(path), "problems": listed}
    console.out(json.dumps(document, ensure_ascii=False, indent=2), highlight=False)


def print_problems(path: Path, text: str, problems: Sequence[Problem], console: Console) -> None:
    """Print each problem with its place, the line of the file, and what to write."""
    lines = text.split("\n")
    for problem in problems:
        place = Text(f"{path}:{problem.line}:{problem.column}: ", style="bold")
        place.append(problem.severity, style=_STYLES[problem.severity])
        where = f" {problem.path}:" if problem.path else ":"
        console.print(place.append(f"{where} {problem.message}", style="default"), soft_wrap=True)
        if problem.line <= len(lines):
            _print_line(lines[problem.line - 1], problem, console)
    console.print(_summary(path, text, problems), soft_wrap=True)


def _print_line(line: str, problem: Problem, console: Console) -> None:
    shown = line[:_WIDTH].replace("\t", " ").rstrip()
    if not shown:
        return
    gutter = f"{problem.line:>6} | "
    first = len(shown) - len(shown.lstrip())
    column = problem.column - 1 if problem.severity == "error" else first
    console.print(Text(gutter + shown, style="dim"), soft_wrap=True)
    if column < len(shown):
        pointer = Text(" " * (len(gutter) + column) + "^", style=_STYLES[problem.severity])
        console.print(pointer, soft_wrap=True)


def _summary(path: Path, text: str, problems: Sequence[Problem]) -> Text:
    errors = sum(each.severity == "error" for each in problems)
    warnings = len(problems) - errors
    counted = [_count(errors, "error")] if errors else []
    counted += [_count(warnings, "warning")] if warnings else []
    if errors:
        return Text(f"{path}: {', '.join(counted)}", style=_STYLES["error"])
    file: WorkflowFile = load(text, str(path))
    found = [
        _count(len(file.workflows), "workflow"),
        f"{len(file.companies)} {'company' if len(file.companies) == 1 else 'companies'}",
        *counted,
    ]
    return Text(f"{path}: can be used: {', '.join(found)}", style="green")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"

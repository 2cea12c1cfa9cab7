"""The command `reconciler check`: what it prints and with which status it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from workflow_texts import text, workflow

from reconciler.workflows.check import check

HERE = Path(__file__).parent


def run(path: Path, *, as_json: bool = False) -> tuple[int, str]:
    output = io.StringIO()
    console = Console(file=output, width=80, color_system=None)
    return check(path, console, as_json=as_json), output.getvalue()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "workflows.yaml"


def test_a_good_file_ends_with_status_0(written: Path) -> None:
    """What is in the file is counted."""
    written.write_text(text(workflow("deal")))
    status, output = run(written)
    assert status == 0
    assert output == f"{written}: can be used: 1 workflow, 1 company\n"


def test_warnings_are_shown_and_do_not_fail(written: Path) -> None:
    """A warning leaves the status at 0."""
    written.write_text(text(workflow("deal"), workflow("quote")))
    status, output = run(written)
    assert status == 0
    assert f"{written}:6:1: warning quote workflow: a quote may belong to" in output
    assert output.endswith("2 workflows, 1 company, 1 warning\n")


def test_an_error_is_shown_with_its_line_and_a_pointer() -> None:
    """file:line:column, the sentence, the line of the file, and a mark under the place."""
    status, output = run(HERE / "wrong" / "02-tabs.yaml")
    assert status == 2
    first, line, pointer, summary = output.splitlines()
    assert "02-tabs.yaml:4:1: error: not YAML" in first
    assert line.startswith("     4 |  us: {realm_id")
    assert pointer == "         ^"
    assert summary.endswith("02-tabs.yaml: 1 error")


def test_ten_wrong_files_name_each_error_and_line() -> None:
    """Every marked line of every wrong file is printed as file:line:column, with status 1."""
    for path in sorted((HERE / "wrong").glob("*.yaml")):
        status, output = run(path)
        assert status == 2
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert (f"{path}:{number}:" in output) is ("# error: " in line)


def test_json_for_other_programs() -> None:
    """The same problems as data, with the same status."""
    status, output = run(HERE / "wrong" / "01-quotes-missing.yaml", as_json=True)
    assert status == 2
    document = json.loads(output)
    [problem] = document["problems"]
    assert (problem["line"], problem["severity"]) == (6, "error")
    assert set(problem) == {"line", "column", "path", "message", "severity"}


def test_a_file_that_cannot_be_read_is_a_problem(written: Path) -> None:
    """A missing file, a folder or bytes that are no text are said in a sentence."""
    status, output = run(written)
    assert status == 2
    assert f"{written}:1:1: error: can't be read: No such file or directory" in output
    assert "can't be read" in run(written.parent)[1]
    written.write_bytes(b"version: 1\nname: \xff")
    assert "save the file as UTF-8" in run(written)[1]

"""`reconciler check` names every error of a wrong file, and its line.

In each file of `wrong/` a comment `# error: text | more text` stands on the line of the problem;
the problems reported must be exactly those.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_texts import problems_of

WRONG = sorted(Path(__file__).with_name("wrong").glob("*.yaml"))


def expected(text: str) -> list[tuple[int, list[str]]]:
    lines = enumerate(text.splitlines(), start=1)
    split = ((number, line.partition("# error: ")[2]) for number, line in lines)
    return [(number, found.split(" | ")) for number, found in split if found]


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_every_error_of_a_wrong_file_is_named_with_its_line(path: Path) -> None:
    """Every marked line is reported, with those words, and no other line is."""
    text = path.read_text()
    found = problems_of(text)
    assert sorted({problem.line for problem in found}) == [line for line, _ in expected(text)]
    for line, fragments in expected(text):
        said = "\n".join(problem.message for problem in found if problem.line == line)
        for fragment in fragments:
            assert fragment in said, f"line {line}"


def test_there_are_ten_wrong_files() -> None:
    """The set shows ten kinds of mistakes, from YAML itself to rules between keys."""
    assert len(WRONG) == 10


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_every_message_says_what_to_write_instead(path: Path) -> None:
    """No message only complains: each one names a correction."""
    advice = ("write", "remove", "keep", "perhaps", "did you mean", "use", "check", "put", "indent",
              "shorten", "leave", "add")  # fmt: skip
    for problem in problems_of(path.read_text()):
        assert any(word in problem.message for word in advice), problem.message

"""What commands print for people: foreign text as it is, but nothing that a terminal obeys."""

from __future__ import annotations

import pytest

from reconciler.commands.output import console, table


def test_foreign_text_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control and direction characters are spelled out, in lines and in tables; breaks stay."""
    console().print("a\x1b[2Jb\x07\n\tc\u202ed\x9be")
    rows = table("", "detail")
    rows.add_row("x\x1b]0;y\x07z")
    console().print(rows)
    printed = capsys.readouterr().out
    assert "aU+001B[2JbU+0007\n" in printed
    assert "cU+202EdU+009Be" in printed
    assert "xU+001B]0;yU+0007z" in printed
    assert "\x1b" not in printed


def test_foreign_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup or like the name of an emoji is a customer's own text."""
    console().print("Deal :100: [b]won[/b] é 👩\u200d🚀")
    assert capsys.readouterr().out == "Deal :100: [b]won[/b] é 👩\u200d🚀\n"

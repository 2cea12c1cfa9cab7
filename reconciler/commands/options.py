"""Options that several commands take, each stated once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from reconciler.ports.intake import DISMISSED_BY_A_PERSON
from reconciler.reasons import Reason
from streams.formats import Reason as UnreadableReason


def one_of(known: Iterable[str]) -> Callable[[str], str]:
    """Checks an option that may be left empty: another word finds nothing, which tells nobody."""
    words = sorted(known)

    def check(text: str) -> str:
        if text and text not in words:
            raise typer.BadParameter(f"there is no {text!r}; there are {', '.join(words)}")
        return text

    return check


def _said(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("say why, in a few words")
    return text


MOST = 2**63 - 1
"""The largest number that Postgres keeps of its own."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
By = Annotated[
    str, typer.Option("--by", help="Who does this, for the audit log; your login by default.")
]
Why = Annotated[str, typer.Option(help="For whoever looks at it later.", callback=_said)]
OfReason = Annotated[
    str,
    typer.Option(help="Only of this reason.", callback=one_of([*Reason, DISMISSED_BY_A_PERSON])),
]
OfUnreadableReason = Annotated[
    str,
    typer.Option(
        "--reason", help="All open ones of this reason.", callback=one_of(UnreadableReason)
    ),
]
OfCompany = Annotated[str, typer.Option(help="Short name or realm id.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many.")]

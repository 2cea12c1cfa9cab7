"""Options that several commands take, each stated once."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
By = Annotated[
    str, typer.Option("--by", help="Who does this, for the audit log; your login by default.")
]
Why = Annotated[str, typer.Option(help="For whoever looks at it later.")]
OfReason = Annotated[str, typer.Option(help="Only of this reason.")]
OfCompany = Annotated[str, typer.Option(help="Short name or realm id.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many.")]

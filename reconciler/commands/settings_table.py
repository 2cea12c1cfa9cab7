"""`settings`: every setting with its default and meaning."""

from __future__ import annotations

import typer
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from reconciler.commands.options import AsJson
from reconciler.commands.output import console, print_json, table
from reconciler.settings import Settings

app = typer.Typer()


@app.command()
def settings(json: AsJson = False) -> None:
    """Print every setting: its environment variable, default and meaning. Reads none of them."""
    rows = [
        {
            "variable": f"RECONCILER_{name.upper()}",
            "default": _default(field.get_default()),
            "meaning": " ".join((field.description or "").split()),
        }
        for name, field in Settings.model_fields.items()
    ]
    if json:
        print_json(rows)
        return
    found = table("", "variable", "default", "meaning")
    for row in rows:
        found.add_row(row["variable"], row["default"], row["meaning"])
    console().print(found)


def _default(value: object) -> str:
    """The default as it is written in the environment; of a secret, its default is none."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value is PydanticUndefined:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)

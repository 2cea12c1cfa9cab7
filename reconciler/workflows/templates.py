"""Templates for memos, document numbers and custom fields: `"{dealname} {id}"`.

`load` checks them, `decide` renders them. A name in braces is a property of the object, or `id`
for its HubSpot id; `{{` and `}}` are braces. What is unknown renders as nothing. There are no
formats and no expressions: what a document says is what HubSpot says.
"""

from __future__ import annotations

import re
from functools import lru_cache

from reconciler.model import SourceObject

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_NAME = re.compile(r"[A-Za-z0-9_]+")

Piece = tuple[str, str]  # literal text, name of a property ("" if none)


class TemplateError(ValueError):
    """The template can't be read; the text says what to write instead."""


@lru_cache(maxsize=1024)
def parse(template: str) -> tuple[Piece, ...]:
    """The pieces of a template; raises TemplateError."""
    pieces: list[Piece] = []
    for found in _PIECE.finditer(template):
        piece, name = found[0], found[1]
        if piece in ("{{", "}}"):
            pieces.append((piece[0], ""))
        elif name is not None:
            pieces.append(("", _checked(name.strip(), piece)))
        elif piece in ("{", "}"):
            raise TemplateError(
                f"a lone `{piece}`: write {{dealname}} for a property, {piece * 2} for a brace"
            )
        else:
            pieces.append((piece, ""))
    return tuple(pieces)


def _checked(name: str, piece: str) -> str:
    if not _NAME.fullmatch(name):
        raise TemplateError(
            f"`{piece}` is not a property: write its internal name, such as {{dealname}}"
        )
    return name


def properties_in(template: str) -> frozenset[str]:
    """The properties a template reads, without `id`."""
    return frozenset(name for _, name in parse(template) if name and name != "id")


def longest_literal(template: str) -> int:
    """How many characters are fixed, whatever the properties hold."""
    return sum(len(text) for text, _ in parse(template))


def render(template: str, obj: SourceObject) -> str:
    """The template filled with the object's current values, without stray spaces."""
    text = "".join(piece or _value(name, obj) for piece, name in parse(template))
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()


def _value(name: str, obj: SourceObject) -> str:
    return obj.key.id if name == "id" else obj.properties.get(name) or ""

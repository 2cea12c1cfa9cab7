"""Reads what a page is asked for: enum values, numbers and selections, from foreign text."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from aiohttp import web
from multidict import MultiMapping

from reconciler.console.context import CONSOLE, local_path, notice, see_other
from reconciler.console.words import plural
from reconciler.ports.views import Done, Selection

Word = TypeVar("Word", bound=StrEnum)
Form = MultiMapping[object]

_LARGEST_ID = 2**63 - 1
_SHOWN_REFUSALS = 4


def word(kind: type[Word], text: object) -> Word | None:
    """The member of that value, or None."""
    try:
        return kind(str(text))
    except ValueError:
        return None


def number(text: object) -> int | None:
    """A positive whole number that Postgres takes, or None."""
    written = str(text)
    if not (written.isascii() and written.isdigit() and len(written) < 20):
        return None
    value = int(written)
    return value if 0 < value <= _LARGEST_ID else None


def numbers(texts: Iterable[object]) -> tuple[int, ...]:
    """Those of the texts that are numbers."""
    return tuple(value for value in map(number, texts) if value is not None)


def path_number(request: web.Request, name: str) -> int:
    """A number in the path. Raises 404."""
    value = number(request.match_info[name])
    if value is None:
        raise web.HTTPNotFound(text="There is no such page.")
    return value


def text(form: Form, name: str) -> str:
    """A field as one line of text, "" if it is missing."""
    value = form.get(name, "")
    return " ".join(value.split())[:2000] if isinstance(value, str) else ""


def first_page(query: MultiMapping[str]) -> dict[str, list[str]]:
    """What was asked for, without the place in the list."""
    told = {name: [each for each in query.getall(name) if each] for name in query}
    return {name: values for name, values in told.items() if name != "after"}


def selection(form: Form) -> Selection:
    """Which documents a form is about: those ticked, a cause, a group, or all that are blocked.

    `detail` must come back as it was sent, since it is compared.
    """
    detail = form.get("detail", "")
    return Selection(
        document_ids=numbers(form.getall("document", [])),
        realm_id=text(form, "realm_id"),
        reason=text(form, "reason"),
        detail=detail.replace("\r\n", "\n") if isinstance(detail, str) else "",
        all_blocked=text(form, "all_blocked") == "yes",
    )


def told(done: Done, deed: str, thing: str = "document") -> str:
    """What an action came to, in a sentence or two."""
    parts = [f"{plural(len(done.changed), thing)} {deed}."]
    for number_, why in list(done.refused.items())[:_SHOWN_REFUSALS]:
        parts.append(f"Not {thing} {number_}: {why}")
    more = len(done.refused) - _SHOWN_REFUSALS
    if more > 0:
        parts.append(f"And {more} others were refused.")
    return " ".join(parts) if done.changed or done.refused else "Nothing was selected."


def acted(request: web.Request, form: Form, text_: str) -> web.Response:
    """Back to where the form was, with what it came to."""
    request.app[CONSOLE].forget_counts()
    notice(request, text_)
    back = form.get("back", "")
    return see_other(local_path(back if isinstance(back, str) else ""))

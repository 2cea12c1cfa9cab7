"""Dead letters: the list, one record as it came, re-driving and dismissing."""

from __future__ import annotations

from aiohttp import web

from reconciler.console.context import PERSON, Console, console_of
from reconciler.console.pages.asking import Form, acted, number, numbers, path_number, text, told
from reconciler.console.rendering import render
from reconciler.console.words import hexdump
from reconciler.ports.views import DeadLetterFilter

_CHUNK = 500
_MOST = 20_000
"""Records taken in by one press; the rest by another."""


async def dead_letters(request: web.Request) -> web.Response:
    """A page of the list."""
    wanted = DeadLetterFilter(
        reason=text(request.query, "reason"),
        topic=text(request.query, "topic"),
        resolved=request.query.get("resolved") == "yes",
    )
    after = number(request.query.get("after", "")) or 0
    page = await console_of(request).operator.dead_letters(wanted, after)
    return await render(request, "dead_letters.html", page=page, wanted=wanted)


async def dead_letter(request: web.Request) -> web.Response:
    """One record as it came."""
    found = await console_of(request).operator.dead_letter(path_number(request, "dead_letter_id"))
    if found is None:
        raise web.HTTPNotFound(text="There is no dead letter of that number.")
    raw = "" if found.is_text else hexdump(bytes.fromhex(found.value))
    return await render(request, "dead_letter.html", view=found, letter=found.dead_letter, dump=raw)


async def redrive(request: web.Request) -> web.Response:
    """Take records in again."""
    form = await request.post()
    console = console_of(request)
    done = await console.operator.redrive(await _chosen(console, form), request[PERSON].name)
    return acted(request, form, told(done, "taken in", "record"))


async def dismiss(request: web.Request) -> web.Response:
    """Decide that records need not be understood."""
    form = await request.post()
    why = text(form, "why")
    if not why:
        return acted(request, form, "Nothing was dismissed: say why, it is kept with the record.")
    console = console_of(request)
    chosen = await _chosen(console, form)
    done = await console.operator.dismiss_dead_letters(chosen, why, request[PERSON].name)
    return acted(request, form, told(done, "dismissed", "record"))


async def _chosen(console: Console, form: Form) -> list[int]:
    """Those ticked, or all open ones of a reason."""
    ticked = list(numbers(form.getall("dead_letter", [])))
    if ticked or text(form, "all") != "yes":
        return ticked
    wanted, found, after = DeadLetterFilter(reason=text(form, "reason")), list[int](), 0
    while len(found) < _MOST:
        page = await console.operator.dead_letters(wanted, after, _CHUNK)
        found += [each.dead_letter_id for each in page.dead_letters]
        if page.next_page is None:
            break
        after = page.next_page
    return found
